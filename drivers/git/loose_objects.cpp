#include "drivers/git/loose_objects.h"

#include <array>
#include <fstream>
#include <memory>

#include <git2.h>
#include <git2/sys/odb_backend.h>
#include <zlib.h>

namespace plumb::git {
namespace {

constexpr std::size_t kChunk = 64U << 10U;

struct Guard {
  git_odb_backend base{};  // first: libgit2 knows us by its address
  git_odb_backend* inner = nullptr;
  std::string folder;
};

Guard& guard_of(git_odb_backend* backend) {
  return *reinterpret_cast<Guard*>(backend);
}

struct EndInflate {
  void operator()(z_stream* stream) const noexcept { inflateEnd(stream); }
};

/// False: the stream is broken or ends too early. A file that is not there is whole enough.
bool is_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return true;
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return false;
  const std::unique_ptr<z_stream, EndInflate> end(&stream);
  std::array<char, kChunk> in{};
  std::array<unsigned char, kChunk> out{};
  while (true) {
    if (stream.avail_in == 0) {
      file.read(in.data(), in.size());
      stream.next_in = reinterpret_cast<unsigned char*>(in.data());
      stream.avail_in = static_cast<unsigned>(file.gcount());
      if (stream.avail_in == 0) return false;
    }
    stream.next_out = out.data();
    stream.avail_out = kChunk;
    const int code = inflate(&stream, Z_NO_FLUSH);
    if (code == Z_STREAM_END) return true;
    if (code != Z_OK) return false;
  }
}

int check(const Guard& guard, const git_oid& oid) {
  std::array<char, GIT_OID_HEXSZ + 1> text{};
  git_oid_fmt(text.data(), &oid);
  const std::string hex(text.data());
  if (is_whole(guard.folder + "/" + hex.substr(0, 2) + "/" + hex.substr(2))) return 0;
  git_error_set_str(GIT_ERROR_ODB, ("loose object " + hex + " is broken").c_str());
  return GIT_ERROR;
}

int read(void** bytes,
         std::size_t* size,
         git_object_t* type,
         git_odb_backend* self,
         const git_oid* oid) {
  const Guard& guard = guard_of(self);
  if (const int code = check(guard, *oid); code != 0) return code;
  return guard.inner->read(bytes, size, type, guard.inner, oid);
}

int read_prefix(git_oid* whole,
                void** bytes,
                std::size_t* size,
                git_object_t* type,
                git_odb_backend* self,
                const git_oid* start,
                std::size_t digits) {
  const Guard& guard = guard_of(self);
  git_oid found;
  int code = guard.inner->exists_prefix(&found, guard.inner, start, digits);
  if (code == 0) code = check(guard, found);
  if (code != 0) return code;
  return guard.inner->read_prefix(whole, bytes, size, type, guard.inner, start, digits);
}

int read_header(std::size_t* size, git_object_t* type, git_odb_backend* self, const git_oid* oid) {
  git_odb_backend* inner = guard_of(self).inner;
  return inner->read_header(size, type, inner, oid);
}

int exists(git_odb_backend* self, const git_oid* oid) {
  git_odb_backend* inner = guard_of(self).inner;
  return inner->exists(inner, oid);
}

int exists_prefix(git_oid* whole, git_odb_backend* self, const git_oid* start, std::size_t digits) {
  git_odb_backend* inner = guard_of(self).inner;
  return inner->exists_prefix(whole, inner, start, digits);
}

void release(git_odb_backend* self) {
  const std::unique_ptr<Guard> guard(&guard_of(self));
  guard->inner->free(guard->inner);
}

}  // namespace

int make_loose_backend(git_odb_backend** out, const std::string& folder) {
  auto guard = std::make_unique<Guard>();
  guard->folder = folder;
  int code = git_odb_backend_loose(&guard->inner, folder.c_str(), -1, 0, 0, 0);
  if (code != 0) return code;
  code = git_odb_init_backend(&guard->base, GIT_ODB_BACKEND_VERSION);
  guard->base.read = read;
  guard->base.read_prefix = read_prefix;
  guard->base.read_header = read_header;
  guard->base.exists = exists;
  guard->base.exists_prefix = exists_prefix;
  guard->base.free = release;
  *out = &guard.release()->base;
  return code;
}

}  // namespace plumb::git
