# Compile settings that every target of assay shares, and the library at one instruction level.
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(HDF5 1.10 REQUIRED COMPONENTS C HL)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(MATIO IMPORTED_TARGET matio)
if(ASSAY_MPI)
  find_package(MPI REQUIRED COMPONENTS C)
  list(TRANSFORM MPI_C_INCLUDE_DIRS PREPEND -isystem OUTPUT_VARIABLE ASSAY_MPI_INCLUDES)
endif()

# Headers are included as <assay/core/...> in the tree just as when installed.
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/lib ${PROJECT_BINARY_DIR}/include/assay SYMBOLIC)

add_library(assay_settings INTERFACE)
target_compile_features(assay_settings INTERFACE cxx_std_17)
target_compile_options(assay_settings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -fno-math-errno
  # g++ 12 takes the undefined vectors inside its own AVX-512 headers for uninitialised variables.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized>
  # A source that is compiled with others is none that others include.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:${ASSAY_UNITY}>>:-Wno-subobject-linkage>
  $<$<BOOL:${ASSAY_WERROR}>:-Werror>)
if(ASSAY_SANITIZE)
  string(REPLACE ";" "," ASSAY_SANITIZE_LIST "${ASSAY_SANITIZE}")
  # In code of Eigen's, which takes a third longer to compile with them, these are left out: they crash by themselves or are
  # AddressSanitizer's too. Modules that handle other people's bytes have them (assay_add_library).
  target_compile_options(assay_settings INTERFACE -fsanitize=${ASSAY_SANITIZE_LIST}
    -fno-sanitize=null,alignment,object-size,vptr,pointer-overflow,nonnull-attribute,returns-nonnull-attribute
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(assay_settings INTERFACE -fsanitize=${ASSAY_SANITIZE_LIST})
endif()
if(ASSAY_COVERAGE)
  target_compile_options(assay_settings INTERFACE --coverage)
  target_link_options(assay_settings INTERFACE --coverage)
endif()

# assay_precompile(target header...): the standard library, and these, read once for all sources of a target; with g++ alone,
# since clang (and its tools) cannot read g++'s. test/layers/check-used sees what a source forgot to include.
set(ASSAY_PRECOMPILED_EIGEN <Eigen/Cholesky> <Eigen/Core> <Eigen/Eigenvalues> <Eigen/LU> <Eigen/QR> <Eigen/SVD>)
set(ASSAY_PRECOMPILED <algorithm> <array> <cmath> <cstdint> <functional> <limits> <map> <memory> <numeric> <optional> <string>
  <vector>)
function(assay_precompile target)
  if(ASSAY_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_precompile_headers(${target} PRIVATE ${ASSAY_PRECOMPILED} ${ARGN})
  endif()
endfunction()

# assay_group(target source...): sources of a folder are compiled in groups of at most 60 kB. Names in their unnamed namespaces
# differ within a folder (test/layers/check-names).
function(assay_group target)
  if(NOT ASSAY_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  set(group "")
  foreach(source ${ARGN})
    cmake_path(GET source PARENT_PATH folder)
    file(SIZE ${source} bytes)
    math(EXPR total "${total} + ${bytes}")
    if(NOT folder STREQUAL before OR total GREATER 60000)
      set(total ${bytes})
      cmake_path(GET folder FILENAME name)
      cmake_path(GET source STEM first)
      set(group ${name}_${first})
    endif()
    set(before ${folder})
    set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${group})
  endforeach()
endfunction()

# assay_compiled_as(target out source...): what the compiler is given for these sources, for options of their own: themselves (options
# keep a source out of its group), or the files that hold their groups.
function(assay_compiled_as target out)
  set(files "")
  foreach(source ${ARGN})
    get_source_file_property(group ${source} TARGET_DIRECTORY ${target} UNITY_GROUP)
    get_source_file_property(alone ${source} TARGET_DIRECTORY ${target} SKIP_UNITY_BUILD_INCLUSION)
    get_source_file_property(definitions ${source} TARGET_DIRECTORY ${target} COMPILE_DEFINITIONS)
    if(NOT group OR alone OR definitions)
      list(APPEND files ${source})
    else()
      list(APPEND files ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.dir/Unity/unity_${group}_cxx.cxx)
    endif()
  endforeach()
  list(REMOVE_DUPLICATES files)
  set(${out} ${files} PARENT_SCOPE)
endfunction()

# The commit, looked up by every build: one small source, compiled again when it has changed.
set(ASSAY_COMMIT_SOURCE ${PROJECT_BINARY_DIR}/commit.cpp)
add_custom_target(assay-commit BYPRODUCTS ${ASSAY_COMMIT_SOURCE} VERBATIM
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DOUTPUT=${ASSAY_COMMIT_SOURCE}
          -P ${PROJECT_SOURCE_DIR}/share/cmake/AssayCommit.cmake)

function(assay_isa_flags level out)
  if(level STREQUAL "native")
    set(${out} -march=native PARENT_SCOPE)
  elseif(level MATCHES "^x86-64-v[234]$")
    # Eigen's AVX-512 kernels want 64-byte vectors; gcc prefers 32 at this level unless told otherwise.
    if(level STREQUAL "x86-64-v4")
      set(${out} -march=${level} -mprefer-vector-width=512 PARENT_SCOPE)
    else()
      set(${out} -march=${level} PARENT_SCOPE)
    endif()
  else()
    set(${out} "" PARENT_SCOPE)
  endif()
endfunction()

# What code that includes the library's headers needs: the same for every form of the library.
function(assay_interface target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_features(${target} PUBLIC cxx_std_17)
  # Alignment is part of the ABI: programs built at any level must agree with the library.
  target_compile_definitions(${target}
    PUBLIC EIGEN_MAX_ALIGN_BYTES=64 EIGEN_MAX_STATIC_ALIGN_BYTES=64 EIGEN_DONT_PARALLELIZE)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target}
    PUBLIC Eigen3::Eigen
    PRIVATE $<BUILD_INTERFACE:assay_settings> hdf5::hdf5 OpenMP::OpenMP_CXX ZLIB::ZLIB PkgConfig::LIBZIP PkgConfig::XXHASH
            $<BUILD_INTERFACE:nlohmann_json::nlohmann_json> $<BUILD_INTERFACE:CLI11::CLI11>
            $<$<BOOL:${MATIO_FOUND}>:PkgConfig::MATIO>)
  if(ASSAY_MPI)
    target_link_libraries(${target} PRIVATE $<LINK_ONLY:MPI::MPI_C>)
  endif()
endfunction()

# assay_add_library(target level [form]): the library compiled for one instruction level; form is SHARED or OBJECT.
function(assay_add_library target level)
  set(form SHARED)
  if(ARGC GREATER 2)
    set(form ${ARGV2})
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/*/*.cpp)
  add_library(${target} ${form} ${sources} ${ASSAY_COMMIT_SOURCE})
  add_dependencies(${target} assay-commit)
  assay_isa_flags(${level} flags)
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME assay VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  assay_interface(${target})
  target_compile_options(${target} PRIVATE ${flags})
  target_compile_definitions(${target}
    PRIVATE ASSAY_BUILDING ASSAY_VERSION="${PROJECT_VERSION}" ASSAY_ISA_LEVEL="${level}"
            ASSAY_DATA_DIR="${CMAKE_INSTALL_DATADIR}/assay" $<$<BOOL:${MATIO_FOUND}>:ASSAY_HAVE_MATIO>)
  assay_precompile(${target} ${ASSAY_PRECOMPILED_EIGEN} <assay/core/instances.hpp>)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/lib/core/instances.cpp TARGET_DIRECTORY ${target}
    PROPERTIES SKIP_PRECOMPILE_HEADERS ON SKIP_UNITY_BUILD_INCLUSION ON)
  assay_group(${target} ${sources})
  if(ASSAY_MPI)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/lib/core/ranks.cpp TARGET_DIRECTORY ${target}
      PROPERTIES COMPILE_DEFINITIONS "ASSAY_HAVE_MPI;OMPI_SKIP_MPICXX;MPICH_SKIP_MPICXX" COMPILE_OPTIONS "${ASSAY_MPI_INCLUDES}")
  endif()
  set_source_files_properties(${PROJECT_SOURCE_DIR}/lib/cli/documents.cpp TARGET_DIRECTORY ${target}
    PROPERTIES COMPILE_DEFINITIONS ASSAY_RELEASE_DATE="${ASSAY_RELEASE_DATE}")
  if(ASSAY_SANITIZE MATCHES "undefined")
    file(GLOB byte_sources ${PROJECT_SOURCE_DIR}/lib/core/*.cpp ${PROJECT_SOURCE_DIR}/lib/hdf5/*.cpp
      ${PROJECT_SOURCE_DIR}/lib/formats/*.cpp ${PROJECT_SOURCE_DIR}/lib/cli/*.cpp ${PROJECT_SOURCE_DIR}/lib/plot/*.cpp)
    list(FILTER byte_sources EXCLUDE REGEX /instances.cpp) # templates of Eigen
    assay_compiled_as(${target} compiled ${byte_sources})
    set_property(SOURCE ${compiled} TARGET_DIRECTORY ${target} APPEND PROPERTY COMPILE_OPTIONS
      -fsanitize=null,alignment,object-size,vptr,pointer-overflow,nonnull-attribute,returns-nonnull-attribute)
    set_source_files_properties(${compiled} TARGET_DIRECTORY ${target} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  endif()
endfunction()

# assay_add_static_library(target level): one object in an archive. Layers, rules and formats register themselves, and a linker
# leaves out members of an archive that nothing names. Programs take the library's instruction set: both hold Eigen's templates.
function(assay_add_static_library target level)
  assay_add_library(${target}-objects ${level} OBJECT)
  set(whole ${CMAKE_CURRENT_BINARY_DIR}/${target}.o)
  add_custom_command(OUTPUT ${whole} DEPENDS ${target}-objects $<TARGET_OBJECTS:${target}-objects>
    COMMAND ${CMAKE_LINKER} -r -o ${whole} $<TARGET_OBJECTS:${target}-objects> COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Joining the objects of ${target}")
  add_library(${target} STATIC ${whole})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  assay_interface(${target})
  assay_isa_flags(${level} flags)
  target_compile_options(${target} PUBLIC ${flags})
endfunction()
