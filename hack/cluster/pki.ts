/**
 * Certificates of a throw-away cluster, made by openssl: an authority and leaves that serve both ends.
 * Files that exist are kept, so that a cluster which starts again keeps its kubeconfig.
 */
import { existsSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './command.ts'

export type KeyPair = { readonly cert: string; readonly key: string }

export type Authority = {
  /** Paths of the authority's own files. */
  readonly files: KeyPair
  /** A leaf in `NAME.crt` and `NAME.key`; subject as openssl writes it, for example `/O=system:masters/CN=admin`. */
  issue(name: string, subject: string, alternativeNames?: readonly string[]): Promise<KeyPair>
}

const configuration = `[req]
distinguished_name = dn
[dn]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, digitalSignature
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
`

export async function createAuthority(folder: string): Promise<Authority> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const config = join(folder, 'openssl.cnf')
  await writeFile(config, configuration)
  const common = ['req', '-x509', '-config', config, '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650']

  // The certificate gets its name last: a pair that exists is whole.
  async function make(name: string, args: readonly string[]): Promise<KeyPair> {
    const pair = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) }
    if (existsSync(pair.cert)) return pair
    await run('openssl', [...common, ...args, '-keyout', pair.key, '-out', `${pair.cert}.tmp`])
    await rename(`${pair.cert}.tmp`, pair.cert)
    return pair
  }

  const files = await make('ca', ['-subj', '/CN=taskmill-local', '-extensions', 'authority'])
  return {
    files,
    issue: (name, subject, alternativeNames = []) => {
      const names = alternativeNames.length === 0 ? [] : ['-addext', `subjectAltName=${alternativeNames.join(',')}`]
      return make(name, ['-subj', subject, '-extensions', 'leaf', ...names, '-CA', files.cert, '-CAkey', files.key])
    },
  }
}

/** The names under which pods and the host reach the API server. */
export function apiServerNames(addresses: readonly string[], hosts: readonly string[] = []): string[] {
  const names = [
    'localhost',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    ...hosts,
  ]
  return [...names.map((name) => `DNS:${name}`), ...addresses.map((address) => `IP:${address}`)]
}
