# What `cmake --install` and the packages hold: tools, library (once per instruction level), headers, CMake package,
# pkg-config file, manual pages, shell completions and share/assay.
include(CMakePackageConfigHelpers)

install(TARGETS assay EXPORT assayTargets COMPONENT assay
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_COMPONENT libassay-dev)
foreach(level x86-64-v2 x86-64-v3 x86-64-v4)
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
configure_file(${CMAKE_CURRENT_LIST_DIR}/assay.pc.in ${PROJECT_BINARY_DIR}/assay.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/assay.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT libassay-dev)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT assay
  FILES_MATCHING PATTERN "*.1")
foreach(folder slurm schemas python samples reproduce)
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
  set(CPACK_PACKAGE_CONTACT "assay maintainers <assay@localhost>")
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
  set(CPACK_PACKAGE_DESCRIPTION "Convolutive motifs of neural recordings, and the tools that take trained networks apart.")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_COMPONENTS_ALL assay libassay-dev assay-doc)
  set(CPACK_DEB_COMPONENT_INSTALL ON)
  set(CPACK_COMPONENTS_GROUPING IGNORE)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_ASSAY_PACKAGE_NAME assay)
  set(CPACK_DEBIAN_LIBASSAY-DEV_PACKAGE_NAME libassay-dev)
  set(CPACK_DEBIAN_ASSAY-DOC_PACKAGE_NAME assay-doc)
  set(CPACK_DEBIAN_ASSAY-DOC_PACKAGE_ARCHITECTURE all)
  set(CPACK_DEBIAN_ASSAY_PACKAGE_SHLIBDEPS ON)
  # The library belongs to the same package as the tools.
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)
  set(CPACK_DEBIAN_ASSAY_PACKAGE_RECOMMENDS "gnuplot-nox")
  set(CPACK_DEBIAN_ASSAY_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/debian/triggers)
  file(WRITE ${PROJECT_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
  set(CPACK_DEBIAN_LIBASSAY-DEV_PACKAGE_DEPENDS "assay (= ${PROJECT_VERSION}), libeigen3-dev")
  include(CPack)
endif()
