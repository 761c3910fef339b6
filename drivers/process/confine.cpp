#include "drivers/process/confine.h"

#include <array>
#include <memory>

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace plumb::process {
namespace {

// The kernel's Landlock interface as of its 7th version; Debian 12's headers know the 2nd only.
struct LandlockRules {
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scoped;
};
struct [[gnu::packed]] LandlockPath {
  std::uint64_t allowed;
  std::int32_t folder;
};
constexpr unsigned kLandlockVersion = 1;  // flag of create_ruleset
constexpr int kLandlockBeneath = 1;
constexpr std::uint64_t kExecute = 1U << 0U;
constexpr std::uint64_t kReadFile = 1U << 2U;
constexpr std::uint64_t kReadFolder = 1U << 3U;

/// How many file rights each version of the interface knows.
std::uint64_t file_rights(long version) {
  if (version >= 5) return (1U << 16U) - 1;  // ioctl on devices
  if (version >= 3) return (1U << 15U) - 1;  // truncate
  if (version == 2) return (1U << 14U) - 1;  // refer
  return (1U << 13U) - 1;
}

Result<> allow(int rules, const std::string& path, std::uint64_t rights) {
  const Fd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place) return {};  // what is not there needs no right
  struct stat info {};
  if (::fstat(place.get(), &info) != 0) return system_failure("stat '" + path + "'", errno);
  if (!S_ISDIR(info.st_mode)) rights &= ~kReadFolder;
  const LandlockPath rule{rights, place.get()};
  if (::syscall(SYS_landlock_add_rule, rules, kLandlockBeneath, &rule, 0) != 0) {
    return system_failure("let '" + path + "' be read", errno);
  }
  return {};
}

Result<> prepare_landlock(const Confinement& wanted,
                          const std::string& program,
                          PreparedConfinement& prepared) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kLandlockVersion);
  if (version < 1) return {};  // not in this kernel, or switched off
  const LandlockRules rules{file_rights(version),
                            version >= 4 ? 3ULL : 0ULL,   // TCP bind, connect
                            version >= 6 ? 3ULL : 0ULL};  // abstract sockets, signals
  const std::size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  Fd made(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, size, 0)));
  if (!made) return system_failure("make a Landlock ruleset", errno);
  TRY(allow(made.get(), program, kExecute | kReadFile));
  for (const std::string& path : wanted.readable) {
    TRY(allow(made.get(), path, kExecute | kReadFile | kReadFolder));
  }
  prepared.landlock = std::move(made);
  prepared.names += ", landlock " + std::to_string(version);
  return {};
}

struct FreeFilter {
  void operator()(void* raw) const noexcept { seccomp_release(raw); }
};
using Filter = std::unique_ptr<void, FreeFilter>;

int refuse(void* filter, std::initializer_list<int> calls, std::uint32_t action) {
  int bad = 0;
  for (const int call : calls) {
    if (call != __NR_SCMP_ERROR) bad |= seccomp_rule_add(filter, action, call, 0);
  }
  return bad;
}

/// open() in any writing mode: flags stand in argument `index`.
int refuse_writing(void* filter, int call, unsigned index) {
  const auto action = static_cast<std::uint32_t>(SCMP_ACT_ERRNO(EACCES));
  int bad = 0;
  for (const std::uint64_t flag : {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC}) {
    const auto set = SCMP_CMP(index, SCMP_CMP_MASKED_EQ, flag, flag);
    bad |= seccomp_rule_add(filter, action, call, 1, set);
  }
  return bad;
}

int add_rules(void* filter) {
  const auto no = static_cast<std::uint32_t>(SCMP_ACT_ERRNO(EPERM));
  const auto absent = static_cast<std::uint32_t>(SCMP_ACT_ERRNO(ENOSYS));
  int bad = 0;
  // The network, in every family; the rings of io_uring would go round this filter.
  bad |= refuse(filter,
                {SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(io_uring_setup),
                 SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register)},
                no);
  // Other processes, and new ones. Threads share their memory and stay allowed; clone3 hides its
  // flags from us, libraries fall back to clone.
  bad |= refuse(filter,
                {SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
                 SCMP_SYS(process_madvise), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd),
                 SCMP_SYS(pidfd_send_signal), SCMP_SYS(kill), SCMP_SYS(rt_sigqueueinfo),
                 SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(setsid), SCMP_SYS(setpgid)},
                no);
  bad |= refuse(filter, {SCMP_SYS(clone3), SCMP_SYS(openat2)}, absent);
  const auto own_memory = SCMP_CMP(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
  bad |= seccomp_rule_add(filter, no, SCMP_SYS(clone), 1, own_memory);
  const auto somebody_else = SCMP_CMP(0, SCMP_CMP_NE, 0);
  bad |= seccomp_rule_add(filter, no, SCMP_SYS(prlimit64), 1, somebody_else);
  // The system.
  bad |=
      refuse(filter, {SCMP_SYS(mount),       SCMP_SYS(umount2),         SCMP_SYS(pivot_root),
                      SCMP_SYS(chroot),      SCMP_SYS(setns),           SCMP_SYS(unshare),
                      SCMP_SYS(bpf),         SCMP_SYS(keyctl),          SCMP_SYS(add_key),
                      SCMP_SYS(request_key), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
                      SCMP_SYS(kexec_load),  SCMP_SYS(init_module),     SCMP_SYS(finit_module),
                      SCMP_SYS(reboot),      SCMP_SYS(swapon),          SCMP_SYS(open_by_handle_at),
                      SCMP_SYS(personality), SCMP_SYS(open_tree),       SCMP_SYS(move_mount),
                      SCMP_SYS(fsopen),      SCMP_SYS(fsmount)},
             no);
  // Writing to files.
  bad |= refuse_writing(filter, SCMP_SYS(open), 1);
  bad |= refuse_writing(filter, SCMP_SYS(openat), 2);
  bad |= refuse(filter,
                {SCMP_SYS(creat),    SCMP_SYS(mknod),     SCMP_SYS(mknodat),   SCMP_SYS(mkdir),
                 SCMP_SYS(mkdirat),  SCMP_SYS(unlink),    SCMP_SYS(unlinkat),  SCMP_SYS(rmdir),
                 SCMP_SYS(rename),   SCMP_SYS(renameat),  SCMP_SYS(renameat2), SCMP_SYS(link),
                 SCMP_SYS(linkat),   SCMP_SYS(symlink),   SCMP_SYS(symlinkat), SCMP_SYS(chmod),
                 SCMP_SYS(fchmod),   SCMP_SYS(fchmodat),  SCMP_SYS(chown),     SCMP_SYS(fchown),
                 SCMP_SYS(lchown),   SCMP_SYS(fchownat),  SCMP_SYS(truncate),  SCMP_SYS(utimensat),
                 SCMP_SYS(setxattr), SCMP_SYS(lsetxattr), SCMP_SYS(fsetxattr)},
                no);
  return bad;
}

/// libseccomp may allocate, so the program is made here and only handed over in the child.
Result<> prepare_seccomp(PreparedConfinement& prepared) {
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return fail(Errc::fault, "libseccomp gave no filter");
  if (add_rules(filter.get()) != 0) return fail(Errc::fault, "libseccomp refused a rule");
  const Fd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return system_failure("make a memory file", errno);
  if (const int code = seccomp_export_bpf(filter.get(), file.get()); code != 0) {
    return system_failure("export the seccomp filter", -code);
  }
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  if (size <= 0 || size % static_cast<off_t>(sizeof(sock_filter)) != 0) {
    return fail(Errc::fault, "the seccomp filter has a strange size");
  }
  prepared.filter.resize(static_cast<std::size_t>(size) / sizeof(sock_filter));
  if (::pread(file.get(), prepared.filter.data(), static_cast<std::size_t>(size), 0) != size) {
    return system_failure("read the seccomp filter", errno);
  }
  prepared.names += ", seccomp";
  return {};
}

bool kernel_has_seccomp() {
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace

Result<PreparedConfinement> prepare(const Confinement& wanted, const std::string& program) {
  PreparedConfinement prepared;
  prepared.names = "no_new_privs";
  if (kernel_has_seccomp()) TRY(prepare_seccomp(prepared));
  TRY(prepare_landlock(wanted, program, prepared));
  return prepared;
}

int apply(const PreparedConfinement& prepared, int landlock) noexcept {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  if (landlock >= 0 && ::syscall(SYS_landlock_restrict_self, landlock, 0) != 0) return errno;
  if (prepared.filter.empty()) return 0;
  sock_fprog program{};
  program.len = static_cast<unsigned short>(prepared.filter.size());
  program.filter = const_cast<sock_filter*>(prepared.filter.data());  // the kernel only reads it
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : errno;
}

}  // namespace plumb::process
