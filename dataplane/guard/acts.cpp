#include "dataplane/guard/acts.hpp"

#include "dataplane/guard/image_file.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>

namespace weir::guard {
namespace {

int refuse(const std::string& sentence) {
  std::fprintf(stderr, "weir-guard: %s\n", sentence.c_str());
  return 1;
}

void say_notes(const Tables& tables) {
  for (const std::string& note : tables.notes) std::printf("not kept here: %s\n", note.c_str());
}

std::expected<std::vector<u32>, Error> attach_all(Kernel& kernel, const AttachTerms& terms) {
  std::vector<u32> done;
  for (u32 slot = 0; slot < terms.orders.size(); ++slot) {
    const auto one = attach(kernel, terms.folder, terms.orders[slot], slot);
    if (!one) {
      for (const auto& [ifindex, interface] : kernel.interfaces()) detach(kernel, terms.folder, ifindex, interface);
      return std::unexpected(one.error());
    }
    std::printf("%s: in by %s, out by %s\n", one->name, hook_name(one->hooks[guard_in]).data(),
                hook_name(one->hooks[guard_out]).data());
  }
  return done;
}

std::vector<Interface> interfaces_of(const std::vector<Order>& orders) {
  std::vector<Interface> all;
  for (const Order& order : orders)
    all.push_back({order.name, {order.words[0], order.words[1]}, static_cast<u32>(all.size())});
  return all;
}

nlohmann::json counts_of(const Kernel& kernel, u32 slot, guard_way way) {
  nlohmann::json all = nlohmann::json::object();
  for (std::size_t reason = 0; reason < reasons_count; ++reason) {
    const Count count = kernel.count(slot, way, static_cast<u8>(reason));
    if (count.packets != 0)
      all[std::string(reason_rows[reason].name)] = {{"packets", count.packets}, {"bytes", count.bytes}};
  }
  return all;
}

nlohmann::json status_of(const Kernel& kernel, const std::string& folder) {
  nlohmann::json status{{"folder", folder},
                        {"generation", kernel.generation().value_or(0)},
                        {"flows", kernel.flows_count()},
                        {"leased_bytes", kernel.leased(boot_ns())}};
  const guard_settings own = kernel.settings();
  for (const auto& [ifindex, one] : kernel.interfaces()) {
    nlohmann::json row{{"interface", one.name}, {"machine", one.words[guard_out]}, {"wire", one.words[guard_in]}};
    const u64 silent_ns = boot_ns() - own.beat_ns;
    row["closed"] = one.needs_beat != 0 && own.last_policy == 0 && silent_ns > own.silence_ns;
    for (const guard_way way : {guard_in, guard_out}) {
      const std::string fault = fault_of(kernel, folder, ifindex, one, way);
      row[way == guard_in ? "in" : "out"] = {
          {"hook", hook_name(one.hooks[way])}, {"fault", fault}, {"reasons", counts_of(kernel, one.slot, way)}};
    }
    status["interfaces"].push_back(std::move(row));
  }
  return status;
}

bool print_way(const nlohmann::json& way, const char* name) {
  const std::string fault = way["fault"];
  std::printf("  %-3s %s%s%s\n", name, way["hook"].get<std::string>().c_str(),
              fault.empty() ? "" : ": FAULT: ", fault.c_str());
  for (const auto& [reason, count] : way["reasons"].items())
    std::printf("      %-20s %12lu packets %15lu bytes\n", reason.c_str(), count["packets"].get<u64>(),
                count["bytes"].get<u64>());
  return fault.empty();
}

}  // namespace

std::vector<Interface> interfaces_of(const Kernel& kernel) {
  std::vector<Interface> all;
  for (const auto& [ifindex, one] : kernel.interfaces())
    all.push_back({one.name, {one.words[0], one.words[1]}, one.slot});
  return all;
}

int act_attach(const AttachTerms& terms) {
  if (auto place = check_folder(terms.folder); !place) return refuse(place.error().sentence);
  if (std::filesystem::exists(terms.folder))
    return refuse("a guard is attached at " + terms.folder + ": update its policy, or detach it first");
  const auto image = ImageFile::read(terms.policy);
  if (!image) return refuse(image.error().sentence);
  const auto tables = tables_of(image->policy(), interfaces_of(terms.orders), clock_us());
  if (!tables) return refuse(tables.error().sentence);
  auto kernel = Kernel::load(room_for(*tables, terms.flows));
  if (!kernel) return refuse(kernel.error().sentence);
  guard_settings own = kernel->settings();
  own.silence_ns = terms.silence_ms * 1'000'000;
  own.last_policy = terms.last_policy;
  const auto fail = [&](const Error& error) {
    unpin(terms.folder);
    return refuse(error.sentence);
  };
  if (auto done = kernel->set_settings(own); !done) return refuse(done.error().sentence);
  if (auto done = kernel->install(*tables); !done) return refuse(done.error().sentence);
  if (auto done = kernel->pin(terms.folder); !done) return fail(done.error());
  if (auto done = attach_all(*kernel, terms); !done) return fail(done.error());
  say_notes(*tables);
  std::printf("policy %s, generation %lu, in force; pinned at %s\n", std::string(image->policy().name()).c_str(),
              image->policy().generation(), terms.folder.c_str());
  return 0;
}

int act_update(const std::string& folder, const std::string& policy, bool force) {
  auto kernel = Kernel::open(folder);
  if (!kernel) return refuse(kernel.error().sentence);
  const auto image = ImageFile::read(policy);
  if (!image) return refuse(image.error().sentence);
  const u64 before = kernel->generation().value_or(0), after = image->policy().generation();
  if (after == before || (after < before && !force))
    return refuse("generation " + std::to_string(after) + " is not above " + std::to_string(before) +
                  (after == before ? ", which is in force" : ", which is in force; --force takes it"));
  const auto tables = tables_of(image->policy(), interfaces_of(*kernel), clock_us());
  if (!tables) return refuse(tables.error().sentence);
  if (auto done = kernel->install(*tables); !done) return refuse(done.error().sentence);
  say_notes(*tables);
  std::printf("generation %lu, in force\n", after);
  return 0;
}

int act_detach(const std::string& folder) {
  auto kernel = Kernel::open(folder);
  if (!kernel) return refuse(kernel.error().sentence);
  for (const auto& [ifindex, interface] : kernel->interfaces()) detach(*kernel, folder, ifindex, interface);
  unpin(folder);
  std::puts("detached: nothing judges these interfaces any more");
  return 0;
}

int act_status(const std::string& folder, bool json) {
  const auto kernel = Kernel::open(folder);
  if (!kernel) return refuse(kernel.error().sentence);
  const nlohmann::json status = status_of(*kernel, folder);
  bool sound = true;
  if (json) std::puts(status.dump(2).c_str());
  else
    std::printf("generation %lu, %lu flows, leases: %lu bytes\n", status["generation"].get<u64>(),
                status["flows"].get<u64>(), status["leased_bytes"].get<u64>());
  for (const auto& row : status.value("interfaces", nlohmann::json::array())) {
    sound = sound && row["in"]["fault"] == "" && row["out"]["fault"] == "";
    if (json) continue;
    std::printf("%s (machine `%s`, wire `%s`)%s\n", row["interface"].get<std::string>().c_str(),
                row["machine"].get<std::string>().c_str(), row["wire"].get<std::string>().c_str(),
                row["closed"].get<bool>() ? ": CLOSED, no heartbeat" : "");
    print_way(row["in"], "in");
    print_way(row["out"], "out");
  }
  return sound ? 0 : 1;
}

}  // namespace weir::guard
