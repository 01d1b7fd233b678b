/** The three of the Kubernetes client that are used here, by name: a bundle leaves the rest out, 16 MB of typed models. */
export { createConfiguration, KubeConfig, RequestContext } from "@kubernetes/client-node";
