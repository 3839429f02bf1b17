// SPDX-License-Identifier: BSD-3-Clause
#include "template.hpp"

#ifdef TESSERA_PLOTLY_JS
// The file as it is, in the constants of the library: 5 MB that no compiler need parse.
asm(R"(
  .pushsection .rodata
  .global tessera_plotly_js_begin
  .hidden tessera_plotly_js_begin
  .global tessera_plotly_js_end
  .hidden tessera_plotly_js_end
tessera_plotly_js_begin:
  .incbin ")" TESSERA_PLOTLY_JS R"("
tessera_plotly_js_end:
  .popsection
)");
extern "C" const char tessera_plotly_js_begin[];
extern "C" const char tessera_plotly_js_end[];

namespace tessera::detail {

std::string_view plotly_js() {
  return {tessera_plotly_js_begin,
          static_cast<std::size_t>(tessera_plotly_js_end - tessera_plotly_js_begin)};
}

}  // namespace tessera::detail
#else
namespace tessera::detail {

std::string_view plotly_js() {
  return {};
}

}  // namespace tessera::detail
#endif
