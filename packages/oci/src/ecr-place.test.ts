import { expect, test } from "vitest";
import { ecrRegionOf } from "./ecr-place.ts";

test.each([
  ["123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"],
  ["123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"],
  ["123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"],
  ["123456789012.dkr-ecr.eu-central-1.on.aws", "eu-central-1"],
  ["public.ecr.aws", undefined],
  ["123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example", undefined],
])("the region of %s is %s", (host, region) => {
  expect(ecrRegionOf(host)).toBe(region);
});
