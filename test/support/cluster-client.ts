/** The product's own client as the tests' window on a cluster, with waiting that watches instead of polling. */
import { readFile } from 'node:fs/promises'
import { globSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import type { KubeObject, Resource } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { createInformer, createKubeClient, loadKubeConfig, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'

export async function connectCluster(kubeconfig: string): Promise<KubeClient & AsyncDisposable> {
  const config = await loadKubeConfig({
    env: { KUBECONFIG: kubeconfig },
    readFile: (path) => readFile(path, 'utf8'),
    clock: systemClock,
  })
  const client = createKubeClient({ ...config, clock: systemClock, userAgent: 'taskmill-test' })
  return { ...client, [Symbol.asyncDispose]: () => client.close() }
}

/** Applies the CRDs of this checkout and waits until they are served. */
export async function installCrds(client: KubeClient): Promise<void> {
  for (const file of globSync('crds/*.yaml')) {
    const [document] = parseAllDocuments(await readFile(file, 'utf8'))
    const crd = document?.toJS() as KubeObject
    await client.apply(crds, crd, { fieldManager: 'test', force: true })
    await observe(client, crds, { name: crd.metadata.name }, (object) =>
      ((object?.['status'] as { conditions?: { type: string; status: string }[] } | undefined)?.conditions ?? []).some(
        (condition) => condition.type === 'Established' && condition.status === 'True',
      ),
    )
  }
}

export const namespaces: Resource<KubeObject> = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false }

type Crd = KubeObject & Readonly<Record<string, unknown>>
const crds: Resource<Crd> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
}

/** How long a state may take on a machine under load. Shorter than the time of a test, so that the failure says what there was instead. */
const patienceMs = 240_000

/** Resolves with the first state of an object (undefined: it does not exist) that satisfies `holds`; after 240 s rejects with the state there is. */
export async function observe<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  { namespace, name }: { readonly namespace?: string; readonly name: string },
  holds: (object: T | undefined) => boolean,
): Promise<T | undefined> {
  const stop = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const informer = createInformer<T>({ client, resource, namespace, clock: systemClock, log: silentLogger, rng: Math.random })
  const key = namespace === undefined ? name : `${namespace}/${name}`
  try {
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        const object = informer.get(key)
        try {
          if (holds(object)) resolve(object)
        } catch (error) {
          reject(error)
        }
      }
      timer = setTimeout(() => {
        const { status } = (informer.get(key) ?? {}) as { readonly status?: unknown }
        reject(new Error(`${resource.kind} ${key} is not as awaited after ${patienceMs} ms; its status: ${JSON.stringify(status)}`))
      }, patienceMs)
      informer.onChange(look)
      informer.synced.then(look, reject)
      informer.start(stop.signal)
    })
  } finally {
    clearTimeout(timer)
    stop.abort()
  }
}
