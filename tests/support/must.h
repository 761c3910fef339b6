#pragma once
/// The value of a Result that must be good, or the error of one that must fail.
#include "core/result.h"
#include "tests/support/catch.h"

namespace plumb::test {

template <class T>
T must(Result<T>&& result) {
  if (!result) {
    FAIL(std::string(to_string(result.error().code)) + ": " + result.error().message + " " +
         result.error().where);
  }
  return take(std::move(result));
}

template <class T>
Error must_fail(Result<T>&& result) {
  if (result) FAIL("expected an error");
  return std::move(result).error();
}

}  // namespace plumb::test
