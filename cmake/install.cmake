# What `make install` copies, and what lets others find it: a pkg-config file and a CMake package. Both work out their
# prefix from where they lie, so the tree may be moved, and DESTDIR and --prefix need no second configuration.
include(CMakePackageConfigHelpers)

set(installed beckon_static)
if(BECKON_SHARED)
    list(APPEND installed beckon_shared)
endif()
install(TARGETS ${installed} EXPORT beckon-targets ARCHIVE LIBRARY)
install(FILES ${public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/beckon)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/beckon)
install(EXPORT beckon-targets NAMESPACE beckon:: DESTINATION ${package_dir})
configure_package_config_file(cmake/beckon-config.cmake.in beckon-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(beckon-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/beckon-config.cmake ${PROJECT_BINARY_DIR}/beckon-config-version.cmake
    DESTINATION ${package_dir})

file(RELATIVE_PATH pc_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" pc_prefix ${pc_prefix})
configure_file(cmake/beckon.pc.in beckon.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/beckon.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
