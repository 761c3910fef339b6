#pragma once
/// A repository of some 25 applications that changes at random in all the ways that a render may or
/// may not notice. The same seed makes the same repository.
#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/plan/planning.h"

namespace plumb::test {

class RandomRepo {
 public:
  explicit RandomRepo(unsigned seed) : random_(seed) {
    for (int i = 0; i < 3; ++i) write_base("shared/base-" + n(i), "b" + n(i));
    for (int i = 0; i < 2; ++i) {
      put("shared/components/c" + n(i) + "/kustomization.yaml",
          "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
          "commonAnnotations: {component: c" +
              n(i) + "}\n");
    }
    for (int i = 0; i < 4; ++i) put("shared/files/f" + n(i) + ".yaml", config_map("f" + n(i), "0"));
    for (int i = 0; i < 5; ++i) {
      write_overlay("apps/k" + n(i) + "/dev", i % 3);
      write_overlay("apps/k" + n(i) + "/prod", (i + 1) % 3);
    }
    for (int i = 0; i < 8; ++i) write_plain("apps/p" + n(i) + "/dev");
    for (int i = 0; i < 4; ++i) {
      write_plain("src/m" + n(i));
      write_plain("src/m" + n(i) + "/deep/er");
      put("links/m" + n(i), "../src/m" + n(i), true);
      write_document(i, i % 2 == 0 ? "src/m" + n(i) : "links/m" + n(i));
    }
    write_overlay("src/k", 0, "../../");
    put(".plumbline/k.yaml", document("k", "src/k", ""));
    put("README.md", "a shop\n");
    first_ = tree_;
    past_.push_back(tree_);
  }

  [[nodiscard]] const Tree& tree() const { return tree_; }
  [[nodiscard]] const std::string& story() const { return story_; }

  /// Goes on from a tree that was there before.
  void restore(const Tree& tree) {
    tree_ = tree;
    broken_for_ = 0;
  }

  void change() {
    story_.clear();
    const int roll = up_to(100);
    if (roll < 4 || broken_for_ > 2) {
      tell("back to an earlier tree");
      tree_ = broken_for_ > 2 ? first_ : past_[index(past_)];
      broken_for_ = 0;
      return;
    }
    for (int i = 0, count = 1 + up_to(3); i < count; ++i) change_one();
    if (up_to(100) < 6) break_something();
    if (broken_for_ > 0) {
      ++broken_for_;
    } else {
      past_.push_back(tree_);
    }
  }

 private:
  void change_one() {
    static const std::vector<void (RandomRepo::*)()> kinds{
        &RandomRepo::edit,          &RandomRepo::edit,        &RandomRepo::comment,
        &RandomRepo::comment,       &RandomRepo::new_file,    &RandomRepo::new_file,
        &RandomRepo::other_file,    &RandomRepo::remove_file, &RandomRepo::rename_file,
        &RandomRepo::to_link,       &RandomRepo::turn_link,   &RandomRepo::edit_base,
        &RandomRepo::component,     &RandomRepo::new_app,     &RandomRepo::remove_app,
        &RandomRepo::redeclare,     &RandomRepo::move_base,   &RandomRepo::shadow,
        &RandomRepo::order,         &RandomRepo::new_folder,  &RandomRepo::folder_to_file,
        &RandomRepo::generated_file};
    (this->*kinds[index(kinds)])();
  }

  // ---- what may change ----

  void edit() {
    const std::string path = any([](const std::string& p, const TreeFile& f) {
      return !f.link && p.ends_with(".yaml") && f.text.find("v: \"") != std::string::npos;
    });
    if (path.empty()) return;
    std::string& text = tree_[path].text;
    const auto at = text.find("v: \"") + 4;
    text.replace(at, text.find('"', at) - at, n(up_to(1000)));
    tell("edit " + path);
  }
  void comment() {
    const std::string path = any([](const std::string& p, const TreeFile& f) {
      return !f.link && p.ends_with(".yaml") && f.text.size() < 4000;
    });
    if (path.empty()) return;
    tree_[path].text += "# a word " + n(up_to(1000)) + "\n";
    tell("comment in " + path);
  }
  void new_file() {
    const std::string folder = plain_folder();
    const std::string name = "x" + n(up_to(30));
    put(folder + "/" + name + (up_to(4) == 0 ? ".yml" : ".yaml"), config_map(name, n(up_to(9))));
    tell("new file " + name + " in " + folder);
  }
  void other_file() {
    const std::string folder = up_to(2) == 0 ? plain_folder() : "docs";
    put(folder + "/NOTES-" + n(up_to(3)) + ".md", n(up_to(1000)) + "\n");
    tell("a file that is no manifest in " + folder);
  }
  void remove_file() {
    const std::string path = manifest();
    if (!path.empty()) tree_.erase(path);
    tell("remove " + path);
  }
  void rename_file() {
    const std::string path = manifest();
    if (path.empty()) return;
    const std::string folder = path.substr(0, path.rfind('/'));
    const TreeFile file = tree_[path];
    tree_.erase(path);
    tree_[folder + "/renamed-" + n(up_to(1000)) + ".yaml"] = file;
    tell("rename " + path);
  }
  void to_link() {
    const std::string folder = plain_folder();
    const int which = up_to(4);
    const std::string up = folder.starts_with("apps/") ? "../../../" : "../../";
    put(folder + "/f" + n(which) + ".yaml", up + "shared/files/f" + n(which) + ".yaml", true);
    tell("link in " + folder);
  }
  void turn_link() {
    const std::string path =
        any([](const std::string& p, const TreeFile& f) { return f.link && p.ends_with(".yaml"); });
    if (path.empty()) return;
    if (up_to(2) == 0) {
      tree_[path] = {config_map("f9", n(up_to(9)))};
    } else {
      std::string& text = tree_[path].text;
      text = text.substr(0, text.rfind('/')) + "/f" + n(up_to(5)) + ".yaml";  // f4 is not there
    }
    tell("turn the link " + path);
  }
  void edit_base() {
    const std::string path = any([](const std::string& p, const TreeFile& f) {
      return !f.link && p.starts_with("shared/") && p.ends_with("deploy.yaml");
    });
    if (path.empty()) return;
    std::string& text = tree_[path].text;
    const auto at = text.find("replicas: ") + 10;
    text.replace(at, text.find('\n', at) - at, n(1 + up_to(3)));
    tell("edit base " + path);
  }
  void component() {
    const std::string path = overlay();
    if (path.empty()) return;
    std::string& text = tree_[path].text;
    const auto at = text.find("components:");
    if (at != std::string::npos) {
      text.erase(at, text.find('\n', at) - at + 1);
    } else {
      const std::string up = path.starts_with("apps/") ? "../../../" : "../../";
      text += "components: [" + up + "shared/components/c" + n(up_to(2)) + "]\n";
    }
    tell("component of " + path);
  }
  void new_app() {
    const std::string folder = "apps/n" + n(up_to(6)) + "/" + (up_to(2) == 0 ? "dev" : "prod");
    if (up_to(2) == 0) {
      write_plain(folder);
    } else {
      write_overlay(folder, up_to(3));
    }
    tell("application in " + folder);
  }
  void remove_app() {
    const std::string some = any([](const std::string& p, const TreeFile&) {
      return p.starts_with("apps/n") || p.starts_with("apps/p0") || p.starts_with("apps/k0");
    });
    if (some.empty()) return;
    const std::string folder = some.substr(0, some.find('/', some.find('/', 5) + 1) + 1);
    std::erase_if(tree_, [&](const auto& entry) { return entry.first.starts_with(folder); });
    tell("remove " + folder);
  }
  void redeclare() {
    const int i = up_to(4);
    const std::string path = ".plumbline/m" + n(i) + ".yaml";
    if (up_to(5) == 0) {
      tree_.erase(path);
      tell("remove " + path);
    } else {
      write_document(i, up_to(2) == 0 ? "src/m" + n(i) : "links/m" + n(i));
      tell("declare " + path);
    }
  }
  /// A base moves away and a link stays where it was; or a link becomes the folder again.
  void move_base() {
    const std::string base = "shared/base-" + n(up_to(3));
    const auto link = tree_.find(base);
    const std::string from = link != tree_.end() ? "moved/" + base.substr(7) + "/" : base + "/";
    const std::string to = link != tree_.end() ? base + "/" : "moved/" + base.substr(7) + "/";
    Tree moved;
    for (const auto& [path, file] : tree_) {
      if (path.starts_with(from)) moved[to + path.substr(from.size())] = file;
    }
    std::erase_if(tree_, [&](const auto& entry) { return entry.first.starts_with(from); });
    const bool was_link = link != tree_.end();
    if (was_link) {
      tree_.erase(base);
    } else {
      put(base, "../moved/" + base.substr(7), true);
    }
    tree_.insert(moved.begin(), moved.end());
    tell("move " + base);
  }
  /// A name that was looked for and was not there.
  void shadow() {
    const std::string folder = plain_folder();
    const std::string path = folder + (up_to(2) == 0 ? "/Kustomization" : "/kustomization.yml");
    if (tree_.erase(path) == 0) {
      std::string resources;
      for (const auto& [name, file] : tree_) {
        const bool inside = name.starts_with(folder + "/") && !file.link &&
                            name.find('/', folder.size() + 1) == std::string::npos &&
                            name.ends_with(".yaml");
        if (inside) resources += "\n- " + name.substr(folder.size() + 1);
      }
      put(path, "namePrefix: shadow-\nresources:" + (resources.empty() ? " []" : resources) + "\n");
    }
    tell("kustomization of " + folder);
  }
  /// The same mapping, written in another order.
  void order() {
    const std::string path = manifest();
    if (path.empty() || tree_[path].link) return;
    std::string& text = tree_[path].text;
    const std::string head = "apiVersion: v1\nkind: ConfigMap\n";
    if (text.starts_with(head))
      text = "kind: ConfigMap\napiVersion: v1\n" + text.substr(head.size());
    tell("order of " + path);
  }
  void new_folder() {
    const std::string folder = plain_folder() + "/sub" + n(up_to(2));
    put(folder + "/s" + n(up_to(3)) + ".yaml", config_map("s" + n(up_to(9)), "0"));
    tell("folder " + folder);
  }
  void folder_to_file() {
    const std::string folder = plain_folder() + "/sub0";
    std::erase_if(tree_, [&](const auto& entry) { return entry.first.starts_with(folder + "/"); });
    put(folder, "now a file\n");
    if (up_to(2) == 0) tree_.erase(folder);
    tell("file " + folder);
  }
  void generated_file() {
    const std::string path =
        any([](const std::string& p, const TreeFile&) { return p.ends_with("/app.properties"); });
    if (!path.empty()) put(path, "size=" + n(up_to(100)) + "\n");
    tell("generator's file " + path);
  }

  void break_something() {
    ++broken_for_;
    const std::string path = up_to(2) == 0 ? overlay() : manifest();
    if (path.empty()) return;
    switch (up_to(4)) {
      case 0: tree_[path] = {"a: [\n"}; break;
      case 1: tree_[path] = link_to("/etc/passwd"); break;
      case 2: tree_.erase(path); break;
      default: tree_[path] = {"resources: [../nowhere, ../../../../out]\n"}; break;
    }
    tell("break " + path);
  }

  // ---- what there is ----

  void put(const std::string& path, const std::string& text, bool link = false) {
    // A path cannot be a file and a folder.
    std::erase_if(tree_, [&](const auto& entry) { return entry.first.starts_with(path + "/"); });
    for (auto slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      const auto above = tree_.find(path.substr(0, slash));
      if (above == tree_.end()) continue;
      if (above->second.link) return;  // would be written through the link
      tree_.erase(above);
    }
    tree_[path] = {text, link};
  }
  void write_base(const std::string& folder, const std::string& name) {
    put(folder + "/deploy.yaml", deployment(name, 1));
    put(folder + "/config.yaml", config_map(name, "0"));
    put(folder + "/kustomization.yaml", "resources: [deploy.yaml, config.yaml]\n");
  }
  void write_overlay(const std::string& folder, int base, const std::string& up = "../../../") {
    put(folder + "/app.properties", "size=1\n");
    put(folder + "/patch.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b" + n(base) + "}\ndata: {v: \"1\"}\n");
    put(folder + "/kustomization.yaml",
        "resources: [" + up + "shared/base-" + n(base) +
            "]\nconfigMapGenerator: [{name: app, files: [app.properties]}]\n"
            "patches: [{path: patch.yaml}]\n");
  }
  void write_plain(const std::string& folder) {
    put(folder + "/one.yaml", config_map("one-" + n(static_cast<int>(folder.size())), "0"));
    put(folder + "/two.yaml", config_map("two-" + n(static_cast<int>(folder.size())), "0"));
  }
  static std::string document(const std::string& name,
                              const std::string& path,
                              const std::string& more) {
    return "apiVersion: plumbline.dev/v1\nkind: Application\nmetadata: {name: " + name +
           "}\nspec:\n  path: " + path + "\n" + more;
  }
  void write_document(int i, const std::string& path) {
    std::string more = up_to(2) == 0 ? "  recurse: true\n" : "";
    if (up_to(3) == 0) more += "  sync: manual\n";
    if (up_to(3) == 0) more += "  namespace: other-" + n(i) + "\n";
    put(".plumbline/m" + n(i) + ".yaml", document("m" + n(i), path, more));
  }

  std::string plain_folder() {
    const int roll = up_to(12);
    return roll < 8 ? "apps/p" + n(roll) + "/dev" : "src/m" + n(roll - 8);
  }
  std::string manifest() {
    return any([](const std::string& p, const TreeFile& f) {
      const bool plain = p.starts_with("apps/p") || p.starts_with("src/m");
      return plain && !f.link && p.ends_with(".yaml");
    });
  }
  std::string overlay() {
    return any([](const std::string& p, const TreeFile& f) {
      return !f.link && p.ends_with("kustomization.yaml") && !p.starts_with("shared/") &&
             !p.starts_with("moved/");
    });
  }
  std::string any(const std::function<bool(const std::string&, const TreeFile&)>& fits) {
    std::vector<std::string> paths;
    for (const auto& [path, file] : tree_) {
      if (fits(path, file)) paths.push_back(path);
    }
    return paths.empty() ? "" : paths[index(paths)];
  }

  int up_to(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  template <class List>
  std::size_t index(const List& list) {
    return random_() % list.size();
  }
  static std::string n(int number) { return std::to_string(number); }
  void tell(const std::string& what) { story_ += (story_.empty() ? "" : "; ") + what; }

  std::mt19937 random_;
  Tree tree_;
  Tree first_;
  std::vector<Tree> past_;
  std::string story_;
  int broken_for_ = 0;
};

}  // namespace plumb::test
