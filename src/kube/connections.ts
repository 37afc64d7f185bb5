import { createSecureContext } from 'node:tls'
import { Agent } from 'undici'

/** PEM of what proves who is who: the authority that signed the server's certificate, and the client's own certificate and key. */
export type Certificates = { readonly ca?: string; readonly cert?: string; readonly key?: string }

/** One pool of kept-alive connections, replaced by another when the certificates are. */
export type Connections = {
  /** The pool for these certificates. */
  poolFor(certificates: Certificates): Agent
  /** Cuts all connections. */
  close(): Promise<void>
}

export type ConnectionsOptions = { readonly secure: boolean; readonly servername?: string; readonly insecureSkipTlsVerify?: boolean }

/**
 * When a certificate, key or authority changes, new requests get new connections; what is under way on the old ones ends in peace,
 * watches too. A set that does not fit together is passed over: the two files of a pair are replaced one after the other.
 */
export function createConnections({ secure, servername, insecureSkipTlsVerify }: ConnectionsOptions): Connections {
  const pools = new Set<Agent>()
  let current: { readonly pool: Agent; readonly certificates: Certificates } | undefined

  function open({ ca, cert, key }: Certificates): Agent {
    return new Agent({
      // Our deadlines replace undici's: a quiet watch is healthy, and everything else is limited as a whole.
      bodyTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: 30_000,
      // One connection per watch: a stream that is read slowly cannot hold up the others.
      allowH2: false,
      connect: {
        // Made once per set: it fails here instead of with each connection, and connections need not parse it again.
        ...(secure ? { secureContext: createSecureContext({ ca, cert, key }) } : {}),
        ...(servername === undefined ? {} : { servername }),
        rejectUnauthorized: insecureSkipTlsVerify !== true,
        // Finds a dead peer of a silent watch (a node that lost power) in about 25 s.
        keepAliveInitialDelay: 15_000,
      },
    })
  }

  return {
    poolFor(certificates) {
      if (current && sameCertificates(current.certificates, certificates)) return current.pool
      let pool: Agent
      try {
        pool = open(certificates)
      } catch (error) {
        if (current) return current.pool
        throw error
      }
      const retired = current?.pool
      current = { pool, certificates }
      pools.add(pool)
      if (retired) {
        const forget = () => void pools.delete(retired)
        retired.close().then(forget, forget)
      }
      return pool
    },
    async close() {
      await Promise.all([...pools].map((pool) => pool.destroy()))
    },
  }
}

function sameCertificates(a: Certificates, b: Certificates): boolean {
  return a.ca === b.ca && a.cert === b.cert && a.key === b.key
}
