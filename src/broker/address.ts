import { taskmillError } from '../errors/index.ts'

/** Takes `host:port` apart; an IPv6 host stands in brackets. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/iu.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port < 1 || port > 65_535) {
    throw taskmillError(
      'TM_CONFIG_INVALID',
      `the broker's address must be host:port, such as redis:6379, and is ${JSON.stringify(address)}`,
    )
  }
  return { host, port }
}
