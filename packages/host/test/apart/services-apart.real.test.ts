import { realPart } from "@slipway/testkit";
import { describe } from "vitest";
import { broughtBackends } from "./brought-backends.ts";
import { servicesApart } from "./services-apart.contract.ts";

const parts = { kafka: realPart("kafka"), redis: realPart("redis"), s3: realPart("versitygw") };

describe.skipIf(Object.values(parts).includes(undefined))("six processes with Kafka, Redis and S3", () => {
  servicesApart(() => broughtBackends(parts), { store: true, production: true });
});
