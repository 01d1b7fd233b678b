import { expect, test } from "vitest";
import { buildTrouble, outputTail } from "./trouble.ts";

const builder = { image: "moby/buildkit@sha256:0", folder: "/buildkit", cache: "/buildkit-cache" };
const troubleOf = (output: string, network: "none" | "registries" = "registries") =>
  buildTrouble(output, { step: { network }, builder });

test("a mistake in a Dockerfile is told with its line", () => {
  const shown = "#1 DONE 0.0s\nDockerfile:3\n--------------------\n   3 | >>> RUNN echo\n--------------------\n";

  expect(
    troubleOf(`${shown}error: failed to solve: dockerfile parse error on line 3: unknown instruction: RUNN\n`),
  ).toBe("Dockerfile:3: unknown instruction: RUNN");
});

test("a line that fails is told with its place and what it ended with", () => {
  const shown =
    "#5 ERROR: process\nweb/Dockerfile:7\n--------------------\n   7 | >>> RUN false\n--------------------\n";
  const error = 'error: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1';

  expect(troubleOf(`${shown}${error}\n`)).toBe(
    'web/Dockerfile:7: process "/bin/sh -c false" did not complete successfully: exit code: 1',
  );
});

test.each([
  ["x:1: not found", /check its name and tag$/],
  [
    "x:1: pull access denied, repository does not exist or may require authorization: 401 Unauthorized",
    /credentials in SLIPWAY_IMAGE_REGISTRIES$/,
  ],
  [
    'x:1: failed to do request: Head "https://r/v2/x/manifests/1": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    /add its authority to the BuildKit image, or name a mirror in SLIPWAY_IMAGE_REGISTRIES$/,
  ],
  [
    "x:1: tls: failed to verify certificate: x509: certificate has expired: failed to do request",
    /correct the registry's certificate/,
  ],
  ["x:1: failed to do request: dial tcp 10.0.0.1:443: i/o timeout", /name a mirror in SLIPWAY_IMAGE_REGISTRIES$/],
])("an image that cannot be had (%s) says what to do", (why, remedy) => {
  expect(troubleOf(`error: failed to solve: failed to resolve source metadata for ${why}\n`)).toMatch(remedy);
});

test("without a network the step is told to ask for one", () => {
  const error =
    "error: failed to solve: x:1: failed to resolve source metadata for x:1: dial tcp: lookup x: no such host\n";

  expect(troubleOf(error, "none")).toMatch(/the step has no network: say network: registries$/);
});

test("a pod without the rights that BuildKit needs says which those are", () => {
  const output =
    "could not connect to unix:///buildkit/run/buildkit/buildkitd.sock after 40 trials\n========== log ==========\n" +
    "[rootlesskit:parent] error: failed to start the child: fork/exec /proc/self/exe: operation not permitted\n";

  expect(troubleOf(output)).toMatch(
    /^BuildKit did not start \(failed to start the child: .*not permitted\): .*SETUID and SETGID and a node that allows user namespaces/,
  );
  expect(troubleOf("/bin/sh: buildctl-daemonless.sh: not found\n")).toMatch(/it has to be rootless BuildKit/);
});

test("what says none of that says nothing", () => {
  expect(troubleOf("killed\n")).toBeUndefined();
});

test("of a long output its end is kept", () => {
  const tail = outputTail();
  for (let at = 0; at < 100; at += 1) tail.push(Buffer.from("x".repeat(1_000)));
  tail.push(Buffer.from("the end"));

  expect(tail.text().length).toBe(32_768);
  expect(tail.text().endsWith("the end")).toBe(true);
});
