import type { RequestOptions } from 'node:https'
import type { Clock } from '../clock/index.ts'
import { errorMessage, taskmillError } from '../errors/index.ts'
import type { Credentials, KubeConnection } from './transport.ts'

/** A connection, and the default namespace: the pod's own, or that of the kubeconfig's context. */
export type KubeConfig = KubeConnection & { readonly namespace: string }

export type KubeConfigSource = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readFile: (path: string) => Promise<string>
  readonly clock: Clock
  /** File(s) to use instead of KUBECONFIG, and the context to use instead of the current one. */
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'
const freshMs = 60_000

/**
 * Caches what `load` returned for a minute; the kubelet replaces a token long before it expires. If a later read fails,
 * the cached value stays, and the next call reads again.
 */
function cached(clock: Clock, load: () => Promise<Credentials>): (options: { readonly fresh: boolean }) => Promise<Credentials> {
  let known: Credentials | undefined
  let readMs = 0
  let loading: Promise<Credentials> | undefined
  async function read(): Promise<Credentials> {
    try {
      known = await load()
      readMs = clock.monotonicNow()
    } catch (error) {
      if (!known) throw error
    } finally {
      loading = undefined
    }
    return known
  }
  return async ({ fresh }) => {
    if (known && !fresh && clock.monotonicNow() - readMs < freshMs) return known
    return (loading ??= read())
  }
}

/**
 * Finds the cluster: by the given file(s), else by KUBECONFIG if it is set, else by the pod's service account, else by
 * `~/.kube/config`. Fails with TM_KUBE_CONFIG_INVALID. HTTP proxies are not supported.
 */
export async function loadKubeConfig(source: KubeConfigSource): Promise<KubeConfig> {
  const { env } = source
  try {
    const files = source.kubeconfig ?? env['KUBECONFIG']
    if (files)
      return await fromFiles(
        files.split(':').filter((path) => path !== ''),
        source,
      )
    if (env['KUBERNETES_SERVICE_HOST'] && env['KUBERNETES_SERVICE_PORT'])
      return await inCluster(env['KUBERNETES_SERVICE_HOST'], env['KUBERNETES_SERVICE_PORT'], source)
    if (env['HOME']) return await fromFiles([`${env['HOME']}/.kube/config`], source)
  } catch (cause) {
    throw taskmillError('TM_KUBE_CONFIG_INVALID', `cannot use the configuration of the cluster: ${errorMessage(cause)}`, { cause })
  }
  throw taskmillError('TM_KUBE_CONFIG_INVALID', 'no cluster configuration: KUBECONFIG is not set, and this is not a pod')
}

async function inCluster(host: string, port: string, { readFile, clock }: KubeConfigSource): Promise<KubeConfig> {
  const namespace = (await readFile(`${serviceAccount}/namespace`)).trim()
  const credentials = cached(clock, async () => {
    const [ca, token] = await Promise.all([readFile(`${serviceAccount}/ca.crt`), readFile(`${serviceAccount}/token`)])
    return { ca, token: token.trim() }
  })
  await credentials({ fresh: false })
  return { server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, namespace, credentials }
}

/**
 * client-node supports every kind of credentials in a kubeconfig. It takes 90 MB of memory, so a pod never loads it.
 */
async function fromFiles(paths: readonly string[], { readFile, clock, context }: KubeConfigSource): Promise<KubeConfig> {
  const { KubeConfig: ClientNodeConfig } = await import('@kubernetes/client-node')
  const merged = new ClientNodeConfig()
  for (const [index, path] of paths.entries()) {
    const config = index === 0 ? merged : new ClientNodeConfig()
    config.loadFromString(await readFile(path))
    config.makePathsAbsolute(path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : '.')
    if (index > 0) merged.mergeConfig(config, merged.currentContext !== undefined)
  }
  if (context !== undefined) {
    if (merged.getContextObject(context) === null) throw new Error(`${paths.join(':')} has no context "${context}"`)
    merged.setCurrentContext(context)
  }
  const cluster = merged.getCurrentCluster()
  if (!cluster?.server) throw new Error(`the context "${merged.currentContext ?? ''}" of ${paths.join(':')} names no cluster`)
  if (cluster.proxyUrl) throw new Error('proxy-url is not supported')

  // Fills in the user's credentials: certificate files are read each time; the token of a file, an exec plugin or OIDC
  // is renewed when it has expired.
  const optionsNow = async () => {
    const options: RequestOptions = {}
    await merged.applyToHTTPSOptions(options)
    return options
  }
  const credentials = cached(clock, async () => {
    const { ca, cert, key, headers } = await optionsNow()
    const token = bearerIn(headers)
    return { ...pem('ca', ca), ...pem('cert', cert), ...pem('key', key), ...(token === undefined ? {} : { token }) }
  })
  const { servername, rejectUnauthorized } = await optionsNow()
  await credentials({ fresh: false })
  return {
    server: cluster.server,
    ...(servername ? { servername } : {}),
    ...(rejectUnauthorized === false ? { insecureSkipTlsVerify: true } : {}),
    credentials,
    namespace: merged.getContextObject(merged.currentContext)?.namespace ?? 'default',
  }
}

/** client-node gives strings or buffers. */
function pem<K extends string>(name: K, value: unknown): { readonly [P in K]?: string } {
  if (typeof value !== 'string' && !Buffer.isBuffer(value)) return {}
  return { [name]: value.toString() } as { readonly [P in K]?: string }
}

function bearerIn(headers: unknown): string | undefined {
  const authorization: unknown = (headers as Record<string, unknown> | undefined)?.['Authorization']
  return typeof authorization === 'string' ? /^Bearer (.+)$/.exec(authorization)?.[1] : undefined
}
