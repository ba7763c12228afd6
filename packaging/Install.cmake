# What `cmake --install BUILD --prefix /usr` puts where. Included where the programs are declared.
include(GNUInstallDirs)

install(TARGETS glyph RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET glyph-extract)
  install(TARGETS glyph-extract RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})  # glyph looks for it beside itself
endif()
set(packaging ${CMAKE_SOURCE_DIR}/packaging)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/models/glyph-mini DESTINATION ${CMAKE_INSTALL_DATADIR}/glyph/models)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/styles DESTINATION ${CMAKE_INSTALL_DATADIR}/glyph)
install(FILES ${packaging}/glyph.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${packaging}/completions/glyph.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME glyph)
install(FILES ${packaging}/completions/_glyph DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${packaging}/completions/glyph.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
# The prefix is known when it is installed, not before.
install(CODE "set(GLYPH_BINDIR \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR})
  configure_file(${packaging}/glyph.service.in ${CMAKE_BINARY_DIR}/packaging/glyph.service @ONLY)")
install(FILES ${CMAKE_BINARY_DIR}/packaging/glyph.service DESTINATION lib/systemd/system)
install(FILES ${packaging}/glyph-gpu.conf ${packaging}/glyph.conf.example DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/README.zh.md ${CMAKE_SOURCE_DIR}/CHANGELOG.md ${CMAKE_SOURCE_DIR}/LICENSE
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
