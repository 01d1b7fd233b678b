export { type AddressClass, addressClass } from "./address-class.ts";
export {
  type CallOptions,
  type Pushed,
  type RegistryAuth,
  RegistryClient,
  type RegistryClientOptions,
} from "./client.ts";
export { digestOf } from "./digest.ts";
export { OciError, type OciErrorKind } from "./errors.ts";
export { type ConnectionGuard, checkHop } from "./guard.ts";
export { writeImage } from "./image.ts";
export { makeNodeBaseLayer } from "./node-base.ts";
export { type ImageReference, isDigest, isRepository, isTag, parseImageReference } from "./reference.ts";
export {
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
