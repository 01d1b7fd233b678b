import { describe } from "vitest";
import { servicesApart } from "./services-apart.contract.ts";

describe("six processes with Postgres alone", () => {
  servicesApart(async () => ({ env: {}, objects: {}, secrets: [], stop: async () => {} }));
});
