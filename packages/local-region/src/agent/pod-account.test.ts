import { expect, test } from "vitest";
import { accountOf } from "./pod-account.ts";

const files = {
  passwd: "root:x:0:0::/:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\nzero:x:0:7::/:/bin/sh\n",
  group: "root:x:0:\nstaff:x:50:node\n",
};

test.each([
  ["1000:1000", { uid: 1_000, gid: 1_000 }],
  ["1000", { uid: 1_000, gid: 1_001 }],
  ["10001", { uid: 10_001, gid: 0 }],
  ["node", { uid: 1_000, gid: 1_001 }],
  ["node:staff", { uid: 1_000, gid: 50 }],
  ["4242:staff", { uid: 4_242, gid: 50 }],
])("the USER %s of an image is an account of its files, or a number", (user, account) => {
  expect(accountOf(user, files)).toEqual(account);
});

test.each(["", "root", "0", "0:0", "root:staff", "zero"])(
  "a pod is never root: the USER %j stands for nobody",
  (user) => {
    expect(accountOf(user, files)).toBeNull();
  },
);

test.each([
  ["nobody", /runs as nobody, whom its \/etc\/passwd does not name/],
  ["node:wheel", /the group wheel, which its \/etc\/group does not name/],
  ["99999999999", /runs as 99999999999/],
])("a USER %s that the image does not know is told", (user, why) => {
  expect(() => accountOf(user, files)).toThrow(why);
});
