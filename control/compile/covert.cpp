// One row for each [dns.NAME], in the model's order.
#include "control/compile/covert.hpp"

#include <algorithm>

namespace weir::control {

void put_dns_terms(const Model& model, const std::vector<image::Text>& files, Contents& contents) {
  for (const DnsTerms& stated : model.dns_terms) {
    image::DnsTerms row{};
    row.name = contents.text(stated.name);
    if (stated.span.file < files.size()) row.file = files[stated.span.file];
    row.line = model.line_of(stated.span);
    row.name_bytes_max = stated.name_bytes;
    row.answer_bytes_max = stated.answer_bytes;
    row.information_bytes_max = stated.information_bytes;
    row.domains_max = stated.domains;
    row.queries = {stated.queries.interval, stated.queries.tolerance};
    row.window_s = stated.information_bytes != 0 || stated.domains != 0 ? stated.window_s : 0;
    if (stated.monitor)
      row.monitor_until = stated.monitor_until_s
                              ? static_cast<u64>(std::max<std::int64_t>(0, *stated.monitor_until_s)) * tick_second
                              : ~u64{0};
    contents.dns_terms.push_back(row);
  }
}

void add_covert(const CovertTerms& terms, image::Look& look) {
  look.dns = static_cast<u16>(terms.dns ? *terms.dns + 1 : 0);
  look.icmp_payload = static_cast<image::IcmpPayload>(terms.icmp_payload);
  look.scrub = terms.scrub;
}

}  // namespace weir::control
