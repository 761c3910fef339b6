#include "drivers/crypto/crypto.h"

#include <set>

#include "tests/support/catch.h"
#include "tests/support/must.h"

using namespace plumb;
using plumb::test::must;
using plumb::test::must_fail;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4", "[crypto]") {
  CHECK(crypto::sha256_hex("") ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(crypto::sha256_hex("abc") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(crypto::sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(crypto::sha256("abc").size() == 32);
}

TEST_CASE("HMAC-SHA-256 gives the codes of RFC 4231", "[crypto]") {
  CHECK(crypto::hmac_sha256_hex(std::string(20, '\x0b'), "Hi There") ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(crypto::hmac_sha256_hex("Jefe", "what do ya want for nothing?") ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(crypto::hmac_sha256_hex(std::string(131, '\xaa'),
                                "Test Using Larger Than Block-Size Key - Hash Key First") ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("an empty HMAC key is a key of its own, not the one used last", "[crypto]") {
  const std::string before = crypto::hmac_sha256_hex({}, "x");
  (void)crypto::hmac_sha256_hex("another", "x");
  CHECK(crypto::hmac_sha256_hex({}, "x") == before);
  CHECK(crypto::hmac_sha256_hex({}, {}) ==
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("comparison in constant time still compares", "[crypto]") {
  CHECK(crypto::equal_constant_time("", ""));
  CHECK(crypto::equal_constant_time("secret", "secret"));
  CHECK_FALSE(crypto::equal_constant_time("secret", "secreT"));
  CHECK_FALSE(crypto::equal_constant_time("secret", "secre"));
  CHECK_FALSE(crypto::equal_constant_time("secre", "secret"));
  CHECK_FALSE(crypto::equal_constant_time("", "s"));
  CHECK_FALSE(crypto::equal_constant_time("s", ""));
}

TEST_CASE("hex and base64 go there and back", "[crypto]") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t length = 0; length <= all.size(); ++length) {
    const std::string bytes = all.substr(all.size() - length);
    CHECK(must(crypto::unhex(crypto::hex(bytes))) == bytes);
    CHECK(must(crypto::unbase64(crypto::base64(bytes))) == bytes);
  }
  CHECK(crypto::hex(std::string("\x00\x0f\xff", 3)) == "000fff");
  CHECK(must(crypto::unhex("00FfaB")) == std::string("\x00\xff\xab", 3));
}

TEST_CASE("base64 gives the texts of RFC 4648", "[crypto]") {
  CHECK(crypto::base64("") == "");
  CHECK(crypto::base64("f") == "Zg==");
  CHECK(crypto::base64("fo") == "Zm8=");
  CHECK(crypto::base64("foo") == "Zm9v");
  CHECK(crypto::base64("foobar") == "Zm9vYmFy");
}

TEST_CASE("text that is no hex or base64 is refused", "[crypto]") {
  for (const char* text : {"0", "0g", "  ", "0x", "é"}) {
    CHECK(must_fail(crypto::unhex(text)).code == Errc::invalid);
  }
  for (const char* text : {"Z", "Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zm9v\n", "Zm-v",
                           "Zg==Zg==", "=Zg=", "Zm9vé00"}) {
    INFO(text);
    CHECK(must_fail(crypto::unbase64(text)).code == Errc::invalid);
  }
}

TEST_CASE("random bytes differ", "[crypto]") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(must(crypto::random_bytes(16)));
  CHECK(seen.size() == 100);
  CHECK(must(crypto::random_bytes(0)).empty());
}

TEST_CASE("AES-256-GCM opens what was sealed elsewhere", "[crypto]") {
  // Test case 16 of the GCM specification.
  const std::string key =
      must(crypto::unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
  const std::string plain = must(crypto::unhex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
      "b525b16aedf5aa0de657ba637b39"));
  const std::string bound = must(crypto::unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"));
  const std::string sealed =
      must(crypto::unhex("cafebabefacedbaddecaf888"
                         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e485"
                         "90dbb3da7b08b1056828"
                         "838c5f61e6393ba7a0abcc9f662"
                         "76fc6ece0f4e1768cddf8853bb2d551b"));
  CHECK(must(crypto::open(key, sealed, bound)) == plain);
}

TEST_CASE("a seal opens only with its key, its place and all its bytes", "[crypto]") {
  const std::string key = must(crypto::random_bytes(32));
  for (const std::string& plain : {std::string(), std::string("x"), std::string(5000, 'y')}) {
    const std::string sealed = must(crypto::seal(key, plain, "row 7"));
    CHECK(sealed.size() == plain.size() + 28);
    CHECK(must(crypto::open(key, sealed, "row 7")) == plain);
    CHECK(must_fail(crypto::open(key, sealed, "row 8")).code == Errc::invalid);
    CHECK(must_fail(crypto::open(key, sealed, "")).code == Errc::invalid);
    CHECK(must_fail(crypto::open(std::string(32, 'k'), sealed, "row 7")).code == Errc::invalid);
    for (const std::size_t at : {std::size_t{0}, std::size_t{12}, sealed.size() - 1}) {
      std::string changed = sealed;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      CHECK(must_fail(crypto::open(key, changed, "row 7")).code == Errc::invalid);
    }
    CHECK(must_fail(crypto::open(key, sealed.substr(1), "row 7")).code == Errc::invalid);
    CHECK(must_fail(crypto::open(key, sealed.substr(0, 27), "row 7")).code == Errc::invalid);
    CHECK(must(crypto::seal(key, plain, "row 7")) != sealed);
  }
  CHECK(must_fail(crypto::seal("short", "x", "")).code == Errc::fault);
}
