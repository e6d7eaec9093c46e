// Reading JSON objects whose every mistake is reported with its path:
// "layers[3].kernel: expected 2 integers, found 3".
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/model.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay::network {

// Parses text; throws Error "place: ..." with the position of a syntax error. Nesting beyond 64
// levels and text beyond 64 MiB are refused.
[[nodiscard]] ASSAY_API nlohmann::json parse_json(const std::string& text,
                                                  const std::string& place);

// One object. Every getter throws Error with the path where the value is of the wrong kind.
class ASSAY_API Keys {
  public:
    // Throws Error unless `object` is an object. It must outlive this reader.
    Keys(const nlohmann::json& object, std::string path);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] bool has(const std::string& key) const;
    [[nodiscard]] const nlohmann::json& value(const std::string& key); // required
    [[nodiscard]] std::string text(const std::string& key);            // required
    [[nodiscard]] std::string text(const std::string& key, const std::string& otherwise);
    // A word out of `words`.
    [[nodiscard]] std::string word(const std::string& key, const std::vector<std::string>& words,
                                   const std::string& otherwise);
    [[nodiscard]] bool flag(const std::string& key, bool otherwise);
    [[nodiscard]] double number(const std::string& key, double otherwise);
    [[nodiscard]] double number(const std::string& key);
    // A count in [least, most].
    [[nodiscard]] Index count(const std::string& key, Index least, Index most);
    [[nodiscard]] Index count(const std::string& key, Index least, Index most, Index otherwise);
    // `length` integers (any number for length < 0); a single integer stands for all.
    [[nodiscard]] std::vector<Index> integers(const std::string& key, Index length, Index least);
    [[nodiscard]] std::vector<Index> integers(const std::string& key, Index length, Index least,
                                              std::vector<Index> otherwise);
    [[nodiscard]] std::vector<double> numbers(const std::string& key);
    [[nodiscard]] std::vector<std::string> texts(const std::string& key);
    // Throws Error naming a key that nobody asked for, and the nearest that somebody did.
    void refuse_others() const;
    [[noreturn]] void refuse(const std::string& key, const std::string& complaint) const;

  private:
    const nlohmann::json* find(const std::string& key);
    const nlohmann::json* object_;
    std::string path_;
    std::vector<std::string> known_;
};

} // namespace assay::network
