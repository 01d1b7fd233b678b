export type { AuthSource, Credentials, RegistryAuth } from "./auth.ts";
export { checkLayout } from "./check-layout.ts";
export {
  type CallOptions,
  type Pushed,
  RegistryClient,
  type RegistryClientOptions,
} from "./client.ts";
export { digestOf } from "./digest.ts";
export { ecrAuth } from "./ecr.ts";
export { OciError, type OciErrorKind } from "./errors.ts";
export { packFolder, unpackFolder } from "./folder-tar.ts";
export {
  type ForeignRegistries,
  type ForeignSource,
  foreignRegistries,
  type PushTarget,
} from "./foreign-registries.ts";
export { type ForeignSettings, foreignRegistryChecks } from "./foreign-registry-checks.ts";
export { certificatesInside, findCertificates } from "./furniture.ts";
export { writeImage } from "./image.ts";
export {
  type ImageBase,
  type ImageSource,
  imageText,
  type NamedImage,
  openImageSource,
  type RegistryAccess,
  type ResolvedImage,
} from "./image-source.ts";
export { type LayoutImage, readLayout } from "./layout.ts";
export { librariesOf } from "./linked-libraries.ts";
export { makeNodeBaseLayer } from "./node-base.ts";
export { imageAt, type PublishPlace, PublishTo, repositoryOf } from "./publish-place.ts";
export { isFinal, publishTrouble } from "./publish-trouble.ts";
export { makePythonBaseLayer, pythonBaseEnv } from "./python-base.ts";
export { findPython, type HostPython } from "./python-host.ts";
export { type ImageReference, isDigest, isRepository, isTag, parseImageReference } from "./reference.ts";
export { RegistriesFile, readRegistriesFile } from "./registries-file.ts";
export { registryProblem } from "./registry-problem.ts";
export { makeStaticBaseLayer } from "./static-base.ts";
export {
  type BaseLayer,
  type BlobSource,
  Descriptor,
  ImageConfig,
  ImageManifest,
  type ImageRequest,
  type Layer,
  type LayerFiles,
  mediaTypes,
  type StoredManifest,
  type UnpackedImage,
  type UnpackLimits,
  type WrittenImage,
} from "./types.ts";
export { pullAndUnpack } from "./unpack.ts";
export { markImageUse, removeUnusedImages } from "./unused-images.ts";
