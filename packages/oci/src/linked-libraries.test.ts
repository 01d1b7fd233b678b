import { expect, test } from "vitest";
import { parseLdd, sectionsOf } from "./linked-libraries.ts";

test("ldd of glibc names each library by its path and the loader by its own", () => {
  const output = [
    "\tlinux-vdso.so.1 (0x00007ffd3a5f0000)",
    "\tlibdl.so.2 => /lib/x86_64-linux-gnu/libdl.so.2 (0x00007f1b2c3d4000)",
    "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1b2c1f3000)",
    "\t/lib64/ld-linux-x86-64.so.2 (0x00007f1b2c3de000)",
  ].join("\n");

  expect(parseLdd(output).libraries).toEqual([
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/x86_64-linux-gnu/libdl.so.2",
    "/lib64/ld-linux-x86-64.so.2",
  ]);
});

test("ldd of musl names the loader, which is also libc", () => {
  const output = "\t/lib/ld-musl-x86_64.so.1 (0x7f3a)\n\tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f3a)\n";

  expect(parseLdd(output).libraries).toEqual(["/lib/ld-musl-x86_64.so.1"]);
});

test("a static binary has no libraries and a missing one is told", () => {
  expect(parseLdd("\tstatically linked\n")).toEqual({ libraries: [], missing: [] });
  expect(parseLdd("\tlibfoo.so.1 => not found\n")).toEqual({ libraries: [], missing: ["libfoo.so.1"] });
});

test("ldd of glibc says of many files what belongs to each, also where there is nothing to say; that of musl does not", () => {
  const output = "/bin/a:\n\tlibc.so.6 => /lib/libc.so.6 (0x1)\n/bin/data:\n/bin/b:\n\tstatically linked\n";
  const ofMusl = "\t/lib/ld-musl-x86_64.so.1 (0x7f3a)\n";

  expect(sectionsOf(output, ["/bin/a", "/bin/data", "/bin/b"])).toEqual([
    "\tlibc.so.6 => /lib/libc.so.6 (0x1)",
    "",
    "\tstatically linked\n",
  ]);
  expect(sectionsOf(ofMusl, ["/bin/a", "/bin/b"])).toBeUndefined();
});
