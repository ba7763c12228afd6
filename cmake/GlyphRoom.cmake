# glyph_room(NAME SOURCES a.cc ... [TESTS a_test.cc ...] [FUZZ a_fuzz.cc ...] [DEPENDS room ...] [LINK lib ...])
# declares the static library glyph_NAME of one folder under src/, its tests and its fuzz targets.
# DEPENDS names rooms this one may include (public), which are built with it; LINK names outside libraries (private).

# glyph_folder(FOLDER): builds what is declared there; once, whoever asks.
function(glyph_folder folder)
  get_property(done GLOBAL PROPERTY GLYPH_FOLDERS_DONE)
  if(folder IN_LIST done OR NOT EXISTS ${CMAKE_SOURCE_DIR}/${folder}/CMakeLists.txt)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY GLYPH_FOLDERS_DONE ${folder})
  add_subdirectory(${CMAKE_SOURCE_DIR}/${folder} ${CMAKE_BINARY_DIR}/${folder})
endfunction()

function(glyph_warnings target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wnon-virtual-dtor;
    $<$<BOOL:${GLYPH_WERROR}>:-Werror>;
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>>)  # GCC 12 at -O3 warns falsely about "a" + std::string (GCC bug 105651)
  target_compile_options(${target} PRIVATE  # -Wpedantic-like line markers of nvcc's host pass are its own
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra $<$<BOOL:${GLYPH_WERROR}>:-Werror=all-warnings>>)
  if(GLYPH_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${GLYPH_SANITIZE} -fno-omit-frame-pointer)
    # Sanitized code is laid out so that GCC warns falsely of what is not initialized, as its manual says (-fsanitize=undefined).
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
    target_link_options(${target} PUBLIC -fsanitize=${GLYPH_SANITIZE})
  endif()
endfunction()

function(glyph_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;TESTS;FUZZ;DEPENDS;LINK" ${ARGN})
  add_library(glyph_${name} STATIC ${ARG_SOURCES})
  target_include_directories(glyph_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  glyph_warnings(glyph_${name})
  if(GLYPH_FUZZ)
    target_compile_options(glyph_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  foreach(dep ${ARG_DEPENDS})
    glyph_folder(src/${dep})
    target_link_libraries(glyph_${name} PUBLIC glyph_${dep})
  endforeach()
  target_link_libraries(glyph_${name} PRIVATE ${ARG_LINK} Threads::Threads)
  if(GLYPH_TESTS AND ARG_TESTS)
    glyph_test(${name}_test SOURCES ${ARG_TESTS} LINK glyph_${name} ${ARG_LINK})
  endif()
  if(GLYPH_FUZZ)
    foreach(source ${ARG_FUZZ})
      get_filename_component(fuzz ${source} NAME_WE)
      add_executable(${fuzz} ${source})
      glyph_warnings(${fuzz})
      target_compile_options(${fuzz} PRIVATE -fsanitize=fuzzer)
      target_link_options(${fuzz} PRIVATE -fsanitize=fuzzer)
      target_link_libraries(${fuzz} PRIVATE glyph_${name})
      set_property(GLOBAL APPEND PROPERTY GLYPH_FUZZ_TARGETS ${fuzz})
    endforeach()
  endif()
endfunction()

# glyph_test(NAME [MAIN] SOURCES ... LINK ...): one GoogleTest executable, run from the repository root. MAIN: the sources
# have a main() of their own.
function(glyph_test name)
  cmake_parse_arguments(ARG "MAIN" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  glyph_warnings(${name})
  target_compile_definitions(${name} PRIVATE GLYPH_SOURCE_DIR="${CMAKE_SOURCE_DIR}" GLYPH_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gmock
    $<$<NOT:$<BOOL:${ARG_MAIN}>>:GTest::gtest_main>)
  gtest_discover_tests(${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
endfunction()
