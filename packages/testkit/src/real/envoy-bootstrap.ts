/** Configuration of an Envoy that stands for the sidecar of a client in `namespace`, asks istiod over a Unix socket or a port, and binds each service's port on the loopback. */
export function envoyBootstrap({
  namespace,
  xds,
  adminPort,
}: {
  readonly namespace: string;
  readonly xds: string | number;
  readonly adminPort: number;
}): object {
  const http2 = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  const metadata = {
    ...{ NAMESPACE: namespace, ISTIO_VERSION: "1.31.0", CLUSTER_ID: "Kubernetes" },
    ...{ INSTANCE_IPS: clientAddress, INTERCEPTION_MODE: "NONE" },
  };
  const ads = { ads: {}, resource_api_version: "V3" };
  return {
    node: {
      id: `sidecar~${clientAddress}~client.${namespace}~${namespace}.svc.cluster.local`,
      cluster: `client.${namespace}`,
      metadata,
    },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: adminPort } } },
    dynamic_resources: {
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          ...{ name: "xds", type: "STATIC", connect_timeout: "1s" },
          typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
          load_assignment: {
            cluster_name: "xds",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(xds) } }] }],
          },
        },
      ],
    },
  };
}

/** Of the client's pod: nobody ever connects to it. */
const clientAddress = "10.77.255.254";

function addressOf(xds: string | number): object {
  return typeof xds === "string"
    ? { pipe: { path: xds } }
    : { socket_address: { address: "127.0.0.1", port_value: xds } };
}
