import { BlockList, isIP } from "node:net";

/**
 * `forbidden`: no registry is ever there, but instance metadata (link-local), every interface of this machine (unspecified), or addresses
 * that hide another one (NAT64, 6to4, Teredo).
 */
type AddressClass = "public" | "private" | "loopback" | "forbidden";

const forbidden = listOf([
  "0.0.0.0/8",
  "169.254.0.0/16",
  "100.100.100.200/32",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/128",
  "fe80::/10",
  "fd00:ec2::254/128",
  "ff00::/8",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "2001::/32",
  "2001:db8::/32",
  "2002::/16",
]);
const loopback = listOf(["127.0.0.0/8", "::1/128"]);
const privately = listOf(["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"]);

/** What kind of place an IP address is. Addresses that carry an IPv4 one (`::ffff:…`) are what that is; no address at all is forbidden. */
export function addressClass(address: string): AddressClass {
  const version = isIP(address);
  if (version === 0) return "forbidden";
  const family = version === 4 ? "ipv4" : "ipv6";
  if (forbidden.check(address, family)) return "forbidden";
  if (loopback.check(address, family)) return "loopback";
  return privately.check(address, family) ? "private" : "public";
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits = "0"] = network.split("/");
    list.addSubnet(address, Number(bits), address.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}
