// Marks what the shared library exports; everything else stays hidden, so that a program's own
// copies of template code can never replace the library's at load time.
#pragma once

#if defined(__GNUC__)
#define ASSAY_API __attribute__((visibility("default")))
#else
#define ASSAY_API
#endif
