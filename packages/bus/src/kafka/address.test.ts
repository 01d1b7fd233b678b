import { expect, test } from "vitest";
import { kafkaUrlProblem, parseKafkaUrl } from "./address.ts";

test("several brokers, default port, no password in what is shown", () => {
  expect(parseKafkaUrl("kafka+ssl://us%40er:p%3Ass@one,two:9094?sasl=plain&replication=2")).toEqual({
    brokers: ["one:9092", "two:9094"],
    shown: "one:9092,two:9094",
    tls: true,
    sasl: { mechanism: "plain", username: "us@er", password: "p:ss" },
    replication: 2,
    prefix: "",
  });
  expect(parseKafkaUrl("kafka://host?prefix=Team_a-1.").prefix).toBe("Team_a-1.");
  expect(parseKafkaUrl("kafka://127.0.0.1:7001,[::1]:7002").brokers).toEqual(["127.0.0.1:7001", "[::1]:7002"]);
});

test.each([
  ["kafka:", /looks like/],
  ["kafka://", /looks like/],
  ["kafka://host:99999", /no broker/],
  ["kafka://one,,two", /no broker/],
  ["kafka://host/topic", /looks like/],
  ["kafka://user@host", /user:password/],
  ["kafka://host?acks=0", /sasl=/],
  ["kafka://host?replication=0", /replication/],
  ["kafka://host?prefix=", /prefix=/],
  ["kafka://host?prefix=a/b", /prefix=.*letters, digits, dot, dash, underscore/],
  ["kafka://host?prefix=two%20words", /prefix=/],
  [`kafka://host?prefix=${"a".repeat(101)}`, /prefix=.*100 at most/],
  ["kafka://u:%zz@host", /percent-encoded/],
])("%s is told what it lacks", (url, says) => {
  expect(kafkaUrlProblem(url)).toMatch(says);
});

test("a wrong URL is told without its password", () => {
  expect(kafkaUrlProblem("kafka://user:hunter2@host:99999")).not.toContain("hunter2");
  expect(kafkaUrlProblem("kafka://user:hunter2")).toMatch(/^"user" is no broker/);
  expect(kafkaUrlProblem("kafka://user:hun@ter2@host")).not.toContain("ter2");
});
