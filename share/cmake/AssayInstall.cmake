# What `cmake --install` and the packages hold: tools, library (once per instruction level), headers, CMake package,
# pkg-config file, manual pages, shell completions and share/assay.
include(CMakePackageConfigHelpers)

install(TARGETS assay EXPORT assayTargets COMPONENT assay
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_COMPONENT libassay-dev
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libassay-dev)
foreach(level ${ASSAY_LEVELS})
  if(TARGET assay-${level})
    # The loader looks into these folders beside the plain library, also below an $ORIGIN run path.
    install(TARGETS assay-${level} COMPONENT assay
      LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/glibc-hwcaps/${level} NAMELINK_SKIP)
  endif()
endforeach()
install(TARGETS ${ASSAY_TOOLS} COMPONENT assay RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/lib/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/assay COMPONENT libassay-dev
  FILES_MATCHING PATTERN "*.hpp")
install(EXPORT assayTargets NAMESPACE assay:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/assay COMPONENT libassay-dev)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/assayConfig.cmake.in ${PROJECT_BINARY_DIR}/assayConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/assay)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/assayConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/assayConfig.cmake ${PROJECT_BINARY_DIR}/assayConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/assay COMPONENT libassay-dev)
# Programs that link the archive need what it was built with.
set(ASSAY_PC_LINKED "")
set(ASSAY_PC_FLAGS "")
set(ASSAY_PC_REQUIRED "eigen3")
if(ASSAY_STATIC)
  set(ASSAY_PC_LINKED "${OpenMP_CXX_FLAGS}")
  assay_isa_flags(${ASSAY_ISA} ASSAY_PC_FLAGS)
  set(ASSAY_PC_REQUIRED "eigen3 hdf5 zlib libzip libxxhash")
  if(MATIO_FOUND)
    string(APPEND ASSAY_PC_REQUIRED " matio")
  endif()
  if(ASSAY_MPI)
    string(JOIN " " ASSAY_PC_LINKED ${ASSAY_PC_LINKED} ${MPI_C_LINK_FLAGS} ${MPI_C_LIBRARIES})
  endif()
endif()
file(RELATIVE_PATH ASSAY_PC_PREFIX ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${CMAKE_CURRENT_LIST_DIR}/assay.pc.in ${PROJECT_BINARY_DIR}/assay.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/assay.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT libassay-dev)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT assay
  FILES_MATCHING PATTERN "*.1")
foreach(folder slurm sge pbs schemas python samples reproduce)
  if(EXISTS ${PROJECT_SOURCE_DIR}/share/${folder})
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/share/${folder} DESTINATION ${CMAKE_INSTALL_DATADIR}/assay COMPONENT assay
      USE_SOURCE_PERMISSIONS)
  endif()
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/share/references.json DESTINATION ${CMAKE_INSTALL_DATADIR}/assay COMPONENT assay)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/data_samples/ DESTINATION ${CMAKE_INSTALL_DATADIR}/assay/data_samples
  COMPONENT assay-doc)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/assay COMPONENT assay-doc)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/share/doc ${PROJECT_SOURCE_DIR}/share/figures
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/assay/share COMPONENT assay-doc)

# Completions are written by the tools themselves, from the declarations that also parse the command line.
foreach(tool ${ASSAY_TOOLS})
  foreach(shell bash zsh fish)
    set(script ${PROJECT_BINARY_DIR}/completions/${shell}/${tool})
    add_custom_command(OUTPUT ${script}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/completions/${shell}
      COMMAND ${tool} --completion ${shell} > ${script} DEPENDS ${tool} VERBATIM)
    list(APPEND completion_scripts ${script})
  endforeach()
  install(FILES ${PROJECT_BINARY_DIR}/completions/bash/${tool} COMPONENT assay
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${PROJECT_BINARY_DIR}/completions/zsh/${tool} COMPONENT assay RENAME _${tool}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${PROJECT_BINARY_DIR}/completions/fish/${tool} COMPONENT assay RENAME ${tool}.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endforeach()
add_custom_target(completions ALL DEPENDS ${completion_scripts})

if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_PACKAGE_NAME assay)
  set(CPACK_PACKAGE_VENDOR "assay")
  set(CPACK_PACKAGE_CONTACT "assay maintainers <maintainers@assay.invalid>" CACHE STRING "who answers for the packages")
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package has its own
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_COMPONENTS_ALL assay libassay-dev assay-doc)
  set(CPACK_DEB_COMPONENT_INSTALL ON)
  set(CPACK_COMPONENTS_GROUPING IGNORE)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/DebianFiles.cmake.in ${PROJECT_BINARY_DIR}/debian/DebianFiles.cmake @ONLY)
  set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_BINARY_DIR}/debian/DebianFiles.cmake)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
  set(CPACK_DEBIAN_PACKAGE_SECTION science)

  set(CPACK_DEBIAN_ASSAY_PACKAGE_NAME assay)
  set(CPACK_COMPONENT_ASSAY_DESCRIPTION "tools that take trained networks and neural recordings apart
Convolutive motifs of recordings, low-rank structure of noisy tensors,
fixed points of recurrent networks, theory of learning in deep linear
networks, and the training and import of the networks that these look into.
The library is here once per instruction level; the loader picks.")
  set(CPACK_DEBIAN_ASSAY_PACKAGE_SHLIBDEPS ON)
  # The library belongs to the same package as the tools.
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)
  set(CPACK_DEBIAN_ASSAY_PACKAGE_RECOMMENDS "gnuplot-nox, python3:any")
  set(CPACK_DEBIAN_ASSAY_PACKAGE_SUGGESTS "assay-doc, python3-h5py")
  file(WRITE ${PROJECT_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
  file(WRITE ${PROJECT_BINARY_DIR}/debian/shlibs "libassay ${PROJECT_VERSION_MAJOR} assay (>= ${PROJECT_VERSION})\n")
  set(CPACK_DEBIAN_ASSAY_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/debian/triggers ${PROJECT_BINARY_DIR}/debian/shlibs)

  set(CPACK_DEBIAN_LIBASSAY-DEV_PACKAGE_NAME libassay-dev)
  set(CPACK_COMPONENT_LIBASSAY-DEV_DESCRIPTION "development files of the library that the assay tools share
Headers, the CMake package assay::assay and the pkg-config file assay.")
  set(CPACK_DEBIAN_LIBASSAY-DEV_PACKAGE_SECTION libdevel)
  set(CPACK_DEBIAN_LIBASSAY-DEV_PACKAGE_DEPENDS
    "assay (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}), libeigen3-dev")

  set(CPACK_DEBIAN_ASSAY-DOC_PACKAGE_NAME assay-doc)
  set(CPACK_COMPONENT_ASSAY-DOC_DESCRIPTION "documentation and sample data of the assay tools
The README with a tour of every tool, and the small data sets that its
commands use.")
  set(CPACK_DEBIAN_ASSAY-DOC_PACKAGE_SECTION doc)
  set(CPACK_DEBIAN_ASSAY-DOC_PACKAGE_ARCHITECTURE all)
  include(CPack)
endif()
