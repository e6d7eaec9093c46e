// Interrupted work: what is saved when, and structs as bytes.
#include <assay/core/keeping.hpp>
#include <assay/core/packing.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

namespace {

using namespace assay;

enum class Colour { red, green };
struct Inner {
    std::optional<double> number;
    std::string text;
};
struct Outer {
    int count = 0;
    bool flag = false;
    Colour colour = Colour::red;
    Eigen::MatrixXd matrix;
    Eigen::VectorXd vector;
    std::vector<Inner> inner;
    std::map<Eigen::Index, std::vector<double>> by_place;
};
template <class Archive>
void members(Archive& archive, Inner& i) {
    archive(i.number, i.text);
}
template <class Archive>
void members(Archive& archive, Outer& o) {
    archive(o.count, o.flag, o.colour, o.matrix, o.vector, o.inner, o.by_place);
}

class Stops : public Monitor {
  public:
    bool stop = false;
    [[nodiscard]] bool interrupted() const override { return stop; }
};

} // namespace

TEST_CASE("structs come back from bytes as they were", "[core][packing]") {
    Outer one;
    one.count = -3;
    one.flag = true;
    one.colour = Colour::green;
    one.matrix = Eigen::MatrixXd::Random(3, 2);
    one.matrix(1, 1) = -0.0;
    one.matrix(2, 0) = std::numeric_limits<double>::infinity();
    one.vector = Eigen::VectorXd::Constant(1, std::nan(""));
    one.inner = {{0.1, "first"}, {std::nullopt, ""}};
    one.by_place = {{7, {1, 2}}, {2, {}}};
    const Bytes bytes = packed(one);
    const auto again = unpacked<Outer>(bytes);
    CHECK(again.count == -3);
    CHECK(again.flag);
    CHECK(again.colour == Colour::green);
    CHECK(again.matrix == one.matrix);
    CHECK(std::signbit(again.matrix(1, 1)));
    CHECK(std::isnan(again.vector(0)));
    REQUIRE(again.inner.size() == 2);
    CHECK(again.inner[0].number == 0.1);
    CHECK(again.inner[0].text == "first");
    CHECK(!again.inner[1].number);
    CHECK(again.by_place == one.by_place);
    // Cut anywhere, or longer.
    for (std::size_t length = 0; length < bytes.size(); ++length)
        CHECK_THROWS_AS(unpacked<Outer>(Bytes(bytes.begin(),
                                              bytes.begin() + static_cast<std::ptrdiff_t>(length))),
                        Error);
    Bytes longer = bytes;
    longer.push_back(0);
    CHECK_THROWS_AS(unpacked<Outer>(longer), Error);
    // Sizes that lie ask for no memory.
    Bytes huge(16, 0xff);
    CHECK_THROWS_AS(unpacked<Eigen::MatrixXd>(huge), Error);
    CHECK_THROWS_AS(unpacked<std::vector<double>>(huge), Error);
    CHECK_THROWS_AS(unpacked<std::string>(huge), Error);
}

TEST_CASE("safe points save in time and before the work stops", "[core][keeping]") {
    Stops monitor;
    std::vector<int> saved;
    Keeping<int> keeping;
    keeping.save = [&](const int& state) { saved.push_back(state); };
    keeping.save_every = 1e9;
    int state = 0;
    const auto now = [&] { return state; };
    SafePoints rarely(keeping, monitor);
    rarely.step(now, [&] { state = 1; });
    CHECK(saved.empty());
    // Interrupted on its way: the state before.
    CHECK_THROWS_AS(rarely.step(now,
                                [&] {
                                    state = 2;
                                    monitor.stop = true;
                                    monitor.stop_if_interrupted();
                                }),
                    Interrupted);
    CHECK(saved == std::vector<int>{1});
    CHECK_THROWS_AS(rarely.reached(now), Interrupted);
    CHECK(saved == std::vector<int>{1, 2});
    monitor.stop = false;
    keeping.save_every = 0;
    SafePoints always(keeping, monitor);
    always.reached(now);
    CHECK(saved == std::vector<int>{1, 2, 2});
    // A part of the work, whose state is completed to that of the whole.
    const auto part =
        keeping.of_part(std::optional<std::string>("resumed"),
                        [](const std::string& text) { return static_cast<int>(text.size()); });
    CHECK(part.resume == "resumed");
    part.save("four");
    CHECK(saved.back() == 4);
    // Nothing to save with: only stops.
    const Keeping<int> none;
    SafePoints plain(none, monitor);
    plain.reached(now);
    monitor.stop = true;
    CHECK_THROWS_AS(plain.reached(now), Interrupted);
}
