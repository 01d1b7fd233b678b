import { expect, test } from "vitest";
import { s3Place } from "./s3-place.ts";
import { unavailable } from "./s3-problem.ts";

const place = s3Place("s3://slipway-objects?region=eu-west-1");
const user = "User: arn:aws:sts::123456789012:assumed-role/slipway/s is not authorized to perform:";

test.each([
  [
    `${user} s3:PutObject on resource: "arn:aws:s3:::slipway-objects/a~"`,
    "these credentials may not use the bucket slipway-objects at AWS S3: allow s3:GetObject, ",
  ],
  [
    `${user} kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:123456789012:key/k`,
    "these credentials may not use the key by which the bucket slipway-objects at AWS S3 is encrypted: allow kms:GenerateDataKey and kms:Decrypt with it",
  ],
  [
    "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    "AWS does not give this process the role that AWS_ROLE_ARN names: let the role's trust policy name its service account",
  ],
])("what AWS does not allow is told by the right that is missing: %s", (words, sentence) => {
  const refusal = Object.assign(new Error(words), { name: "AccessDenied", $metadata: { httpStatusCode: 403 } });

  expect(unavailable(refusal, place, "storing an object").message).toContain(`storing an object: ${sentence}`);
});
