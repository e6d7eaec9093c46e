// Arrays of all kinds there and back, and those that are not what was expected.
#include <assay/core/error.hpp>
#include <assay/hdf5/stream.hpp>

#include <catch2/catch.hpp>
#include <hdf5/scratch.hpp>

#include <complex>
#include <hdf5.h>

using namespace assay;
using hdf5_test::Folder;

namespace {

// Through the library's own interface, as other programs write.
void write_foreign(const std::string& file) {
    const hid_t f = H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t scalar = H5Screate(H5S_SCALAR);
    const hsize_t two = 2;
    const hid_t pair = H5Screate_simple(1, &two, nullptr);
    const auto dataset = [&](const char* name, hid_t type, hid_t space, const void* data) {
        const hid_t d = H5Dcreate2(f, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (data != nullptr) H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
        H5Dclose(d);
    };
    const hid_t words = H5Tcopy(H5T_C_S1);
    H5Tset_size(words, H5T_VARIABLE);
    const char* texts[2] = {"first", "\xc3\xbc second"};
    dataset("words", words, pair, static_cast<const void*>(texts));
    const hid_t fixed = H5Tcopy(H5T_C_S1);
    H5Tset_size(fixed, 4);
    dataset("fixed", fixed, pair, "abc\0wxyz");
    const hid_t logical = H5Tenum_create(H5T_NATIVE_INT8);
    const std::int8_t no = 0, yes = 1;
    H5Tenum_insert(logical, "FALSE", &no);
    H5Tenum_insert(logical, "TRUE", &yes);
    const std::int8_t flags[2] = {1, 0};
    dataset("flags", logical, pair, static_cast<const void*>(flags));
    const double half = 0.5;
    dataset("half", H5T_NATIVE_DOUBLE, scalar, &half);
    hobj_ref_t references[2]{};
    H5Rcreate(&references[0], f, "half", H5R_OBJECT, -1);
    dataset("references", H5T_STD_REF_OBJ, pair, static_cast<const void*>(references));
    const hid_t record = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(record, "a", 0, H5T_NATIVE_DOUBLE);
    H5Tinsert(record, "b", 8, H5T_NATIVE_INT64);
    dataset("records", record, pair, nullptr);
    const hid_t opaque = H5Tcreate(H5T_OPAQUE, 3);
    dataset("opaque", opaque, pair, nullptr);
    H5Lcreate_external("elsewhere.h5", "/x", f, "outside", H5P_DEFAULT, H5P_DEFAULT);
    for (const hid_t type : {words, fixed, logical, record, opaque}) H5Tclose(type);
    H5Sclose(scalar);
    H5Sclose(pair);
    H5Fclose(f);
}

template <class T>
void check_kind(hdf5::Group root, const std::string& name, const std::string& type) {
    const std::vector<T> numbers{T(0), T(1), T(100)};
    root.write(name, numbers);
    const hdf5::Dataset dataset = root.dataset(name);
    CHECK(dataset.type_text() == type);
    CHECK(dataset.template read<T>() == numbers);
    CHECK(dataset.template read<double>() == std::vector<double>{0, 1, 100});
}

} // namespace

TEST_CASE("numbers of every kind are read as they were written", "[hdf5]") {
    const Folder folder;
    hdf5::File file = hdf5::File::create(folder.file("x.h5"), "x.h5", hdf5::Compression::none);
    hdf5::Group root = file.root();
    check_kind<double>(root, "double", "float64");
    check_kind<float>(root, "float", "float32");
    check_kind<std::int64_t>(root, "long", "int64");
    check_kind<std::int32_t>(root, "int", "int32");
    check_kind<std::int16_t>(root, "short", "int16");
    check_kind<std::int8_t>(root, "tiny", "int8");
    check_kind<std::uint64_t>(root, "count", "uint64");
    check_kind<std::uint16_t>(root, "bin", "uint16");
    check_kind<std::uint8_t>(root, "byte", "uint8");
    using Complex = std::complex<double>;
    const std::vector<Complex> turned{{1, 2}, {-0.5, 1e-300}};
    root.write("complex", turned);
    CHECK(root.dataset("complex").type_text() == "complex128");
    CHECK(root.dataset("complex").read_complex() == turned);
    CHECK_THROWS_WITH(root.dataset("double").read_complex(),
                      Catch::Contains("x.h5:/double: found float64, complex numbers are expected"));
    CHECK_THROWS_WITH(root.dataset("complex").read<double>(), Catch::Contains("x.h5:/complex"));
    root.write_scalar("scalar", 2.5);
    CHECK(root.dataset("scalar").rank() == 0);
    CHECK(root.dataset("scalar").read_vector() == Vector::Constant(1, 2.5));
    Matrix table(2, 3);
    table << 1, 2, 3, 4, 5, 6;
    root.write("table", table);
    CHECK(root.dataset("table").read_matrix() == table);
    CHECK(root.dataset("table").read<double>() == std::vector<double>{1, 2, 3, 4, 5, 6}); // C order
    CHECK_THROWS_WITH(root.dataset("table").read_vector(),
                      Catch::Contains("/table: has the shape 2 x 3; a vector is expected"));
    CHECK_THROWS_WITH(root.dataset("double").read_matrix(),
                      Catch::Contains("/double: has 1 dimensions (3); 2 are expected"));
    // Boxes, in any order.
    auto boxes = root.create<std::int32_t>("boxes", {3, 2}, {}, {1, 2});
    const std::int32_t low[2] = {1, 2}, high[4] = {3, 4, 5, 6};
    boxes.write_box({1, 0}, {2, 2}, high);
    boxes.write_box({0, 0}, {1, 2}, low);
    boxes.write_box({0, 0}, {0, 2}, low); // nothing
    CHECK(boxes.read<std::int32_t>() == std::vector<std::int32_t>{1, 2, 3, 4, 5, 6});
    std::int32_t corner = 0;
    boxes.read_box({2, 1}, {1, 1}, &corner);
    CHECK(corner == 6);
    CHECK_THROWS_WITH(boxes.write_box({2, 0}, {2, 2}, high), Catch::Contains("/boxes"));
    CHECK_THROWS_WITH(boxes.read_box({2, 0}, {2, 2}, &corner), Catch::Contains("/boxes"));
}

TEST_CASE("arrays of other programs are taken for what they are", "[hdf5]") {
    const Folder folder;
    write_foreign(folder.file("f.h5"));
    const hdf5::InputFile input({folder.file("f.h5"), ""}, {});
    const hdf5::Group root = input.root();
    CHECK(root.dataset("words").read_text() ==
          std::vector<std::string>{"first", "\xc3\xbc second"});
    CHECK(root.dataset("fixed").read_text() == std::vector<std::string>{"abc", "wxyz"});
    CHECK(root.dataset("fixed").type_text() == "text");
    CHECK(root.dataset("flags").type_text() == "boolean");
    CHECK(root.dataset("flags").read<std::int8_t>() == std::vector<std::int8_t>{1, 0});
    const auto targets = root.dataset("references").referenced_datasets();
    REQUIRE(targets.size() == 2);
    REQUIRE(targets[0]);
    CHECK(targets[0]->path() == "/half");
    CHECK(targets[0]->read_vector()(0) == 0.5);
    CHECK_FALSE(targets[1]);
    CHECK(root.dataset("references").type_text() == "object references");
    CHECK_THROWS_WITH(root.dataset("half").referenced_datasets(),
                      Catch::Contains("/half: holds float64; object references are expected"));
    CHECK_THROWS_WITH(root.dataset("half").read_text(),
                      Catch::Contains("/half: holds float64; text is expected"));
    for (const char* name : {"words", "fixed", "references", "records", "opaque"})
        CHECK_THROWS_WITH(root.dataset(name).read<double>(), Catch::Contains(name));
    CHECK(root.dataset("records").kind() == hdf5::Kind::compound);
    CHECK(root.dataset("opaque").type_text() == "an unsupported type");
    CHECK_FALSE(root.has("outside"));
    CHECK_THROWS_WITH(root.dataset("outside"), Catch::Contains("a link into another file"));
    const auto paths = root.dataset_paths();
    CHECK(paths.size() == 7);
    CHECK(std::find(paths.begin(), paths.end(), "/half") != paths.end());
    CHECK(root.dataset_paths(2).size() == 2);
}

TEST_CASE("an array that claims more than it stores is refused before memory is asked for",
          "[hdf5]") {
    const Folder folder;
    const std::string name = folder.file("lie.h5");
    {
        hdf5::OutputFile output(name, hdf5::Existing::refuse, hdf5::Compression::none, {});
        static_cast<void>(output.root().create<double>("huge", {Index{1} << 45}, {}));
        static_cast<void>(output.root().create<double>("wide", {1 << 20, 1 << 25}, {}, {1, 1024}));
        output.commit();
    }
    const hdf5::InputFile input({name, ""}, {});
    for (const char* array : {"huge", "wide"}) {
        CHECK_THROWS_WITH(input.root().dataset(array).read<double>(),
                          Catch::Contains("the file is damaged or incomplete"));
        CHECK_THROWS_WITH(input.root().dataset(array).expect_numeric(),
                          Catch::Contains("but stores 0"));
    }
    CHECK_THROWS_WITH(hdf5::element_count({Index{1} << 40, Index{1} << 40}, "x.h5:/lie"),
                      Catch::Contains("x.h5:/lie"));
}
