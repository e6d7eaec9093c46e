// Errors that a user reads. A message is one line: the layer that knows the cause words it ("what
// was found, what was expected"), outer layers prepend the place with `at_place`.
#pragma once

#include <assay/core/export.hpp>

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace assay {

// Anything that keeps a command from doing its work; exit status 1.
class ASSAY_API Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// A wrong command line or configuration file; exit status 2.
class ASSAY_API UsageError : public Error {
  public:
    using Error::Error;
};

// The work was interrupted at a safe point and its state was saved; exit status 75.
class ASSAY_API Interrupted : public Error {
  public:
    using Error::Error;
};

// Streams its arguments into one string: concat("found ", 3, " values").
template <class... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}

// Runs `body`; an Error that leaves it gets "place: " put before its message, its kind unchanged.
template <class Body>
auto at_place(const std::string& place, Body&& body) -> decltype(body()) {
    const auto placed = [&](const std::exception& e) { return place + ": " + e.what(); };
    try {
        return std::forward<Body>(body)();
    } catch (const UsageError& e) {
        throw UsageError(placed(e));
    } catch (const Interrupted&) {
        throw;
    } catch (const Error& e) {
        throw Error(placed(e));
    }
}

} // namespace assay

// Checks a condition that only a mistake in the code can break; compiled out of release builds.
#ifdef NDEBUG
#define ASSAY_ASSERT(condition, message) static_cast<void>(0)
#else
#define ASSAY_ASSERT(condition, message)                                                           \
    do {                                                                                           \
        if (!(condition)) throw std::logic_error(::assay::concat("assertion failed: ", message));  \
    } while (false)
#endif
