// One row for each [dns.NAME], in the model's order.
#include "control/compile/covert.hpp"

#include "control/compile/rows.hpp"

namespace weir::control {

void put_dns_terms(const Model& model, const std::vector<image::Text>& files, Contents& contents) {
  for (const DnsTerms& stated : model.dns_terms) {
    image::DnsTerms row{};
    row.name = contents.text(stated.name);
    row.file = file_of(files, stated.span);
    row.line = model.line_of(stated.span);
    row.name_bytes_max = stated.name_bytes;
    row.answer_bytes_max = stated.answer_bytes;
    row.information_bytes_max = stated.information_bytes;
    row.domains_max = stated.domains;
    row.queries = {stated.queries.interval, stated.queries.tolerance};
    row.window_s = stated.information_bytes != 0 || stated.domains != 0 ? stated.window_s : 0;
    row.monitor_until = monitored_until(stated.monitor, stated.monitor_until_s);
    contents.dns_terms.push_back(row);
  }
}

void add_covert(const CovertTerms& terms, image::Look& look) {
  look.dns = static_cast<u16>(terms.dns ? *terms.dns + 1 : 0);
  look.icmp_payload = static_cast<image::IcmpPayload>(terms.icmp_payload);
  look.scrub = terms.scrub;
}

}  // namespace weir::control
