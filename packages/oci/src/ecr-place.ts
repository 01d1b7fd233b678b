export type EcrPlace = {
  readonly region: string;
  /** Where ECR's own API is, if not where AWS says, e.g. that of a VPC endpoint. */
  readonly endpoint?: string;
};

const hostPattern =
  /^\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.(?:aws|amazonwebservices\.com\.cn))$/;

/** The region in the name of a private ECR registry, `<account>.dkr.ecr.<region>.amazonaws.com`; undefined for any other host. */
export function ecrRegionOf(host: string): string | undefined {
  return hostPattern.exec(host)?.[1];
}
