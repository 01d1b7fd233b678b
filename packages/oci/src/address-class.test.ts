import { expect, test } from "vitest";
import { addressClass } from "./address-class.ts";

test.each([
  ["93.184.216.34", "public"],
  ["2606:4700::1111", "public"],
  ["10.1.2.3", "private"],
  ["172.31.255.255", "private"],
  ["172.32.0.0", "public"],
  ["192.168.0.1", "private"],
  ["100.64.0.1", "private"],
  ["fd12:3456::1", "private"],
  ["127.0.0.1", "loopback"],
  ["127.9.9.9", "loopback"],
  ["::1", "loopback"],
  ["169.254.169.254", "forbidden"],
  ["100.100.100.200", "forbidden"],
  ["fd00:ec2::254", "forbidden"],
  ["fe80::1", "forbidden"],
  ["0.0.0.0", "forbidden"],
  ["::", "forbidden"],
  ["255.255.255.255", "forbidden"],
  ["64:ff9b::a9fe:a9fe", "forbidden"],
  ["2002:7f00:1::", "forbidden"],
  ["not an address", "forbidden"],
])("%s is %s", (address, expected) => {
  expect(addressClass(address)).toBe(expected);
});

test("an IPv4 address written as an IPv6 one is what it is", () => {
  expect(addressClass("::ffff:169.254.169.254")).toBe("forbidden");
  expect(addressClass("::ffff:7f00:1")).toBe("loopback");
  expect(addressClass("::ffff:10.0.0.1")).toBe("private");
});
