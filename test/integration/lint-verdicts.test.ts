/** `taskmill lint` against the API server itself: the same verdict on each sample, at the fields that the API server names. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deployments, jobs, kinds, type KubeObject, type Resource, withDefaults } from '../../src/api/index.ts'
import type { TaskBroker, TaskSchedule, WorkerPool } from '../../src/api/index.ts'
import { deploymentFor } from '../../src/controllers/worker-pool/deployment.ts'
import { TaskmillError } from '../../src/errors/index.ts'
import { causesOf } from '../../src/kube/status-error.ts'
import { lint } from '../../src/lint/index.ts'
import { parseYaml, valueOf } from '../../src/lint/yaml.ts'
import { buildJob } from '../../src/workloads/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { type Sample, samples } from './lint-samples.ts'

type Answer = { readonly verdict: Sample['verdict']; readonly fields: readonly string[]; readonly message: string }

let cluster: TestCluster
let namespace: string

beforeAll(async () => {
  cluster = await openCluster()
  namespace = await cluster.createNamespace('lint')
})

afterAll(() => cluster?.close())

describe.each(['admitted', 'warned', 'refused'] as const)('%s', (verdict) => {
  it.each(samples.filter((each) => each.verdict === verdict))('$title', async ({ manifest, stricter }) => {
    const own = judgeOffline(manifest)
    const theirs = await judgeOnline(manifest)
    expect([own.verdict, own.message]).toEqual([verdict, own.message])
    expect([theirs.verdict, theirs.message]).toEqual([stricter === undefined ? verdict : 'admitted', theirs.message])
    // One may name the field, the other the entry in it that is wrong.
    const isNamed = theirs.fields.some((field) => own.fields.some((each) => isSameOrIn(each, field) || isSameOrIn(field, each)))
    expect([theirs.fields, own.fields, isNamed]).toEqual([theirs.fields, own.fields, theirs.fields.length > 0])
  })
})

function judgeOffline(text: string): Answer {
  const { findings } = lint([{ path: 'a.yaml', text, isNamed: true }], { isComplete: false })
  const verdict = findings.some(({ severity }) => severity === 'error') ? 'refused' : findings.length > 0 ? 'warned' : 'admitted'
  return {
    verdict,
    fields: findings.map(({ field = '' }) => field),
    message: findings.map(({ field, message }) => `${field}: ${message}`).join('\n'),
  }
}

/** Creates the object, and what the operator makes of it, without keeping them. */
async function judgeOnline(text: string): Promise<Answer> {
  const [document] = parseYaml(text)
  const read = document === undefined ? undefined : valueOf(document)
  const written = (read?.ok === true ? read.value : {}) as KubeObject & { readonly spec: object }
  const kind = kinds.find((each) => each.kind === written.kind)
  if (kind === undefined) throw new Error(`a sample of no kind: ${text}`)
  const resource: Resource<KubeObject> = {
    group: 'taskmill.dev',
    version: 'v1alpha1',
    kind: kind.kind,
    plural: kind.plural,
    namespaced: true,
  }
  const warnings: string[] = []
  const options = {
    fieldManager: 'test',
    dryRun: true,
    fieldValidation: 'Strict',
    onWarning: (words: string) => void warnings.push(words),
  } as const
  const object = { ...written, metadata: { ...written.metadata, namespace: written.metadata.namespace ?? namespace } }
  let placeOf = (field: string): string => field
  try {
    await cluster.client.create(resource, object, options)
    const complete = withDefaults(kind, object as never) as KubeObject
    if (kind.kind === 'WorkerPool') {
      const deployment = deploymentOf(complete as WorkerPool)
      const { ownerReferences: _, ...metadata } = deployment.metadata
      const before = addedVariables(complete as WorkerPool, deployment)
      placeOf = (field) => field.replace(/(?<=\.env\[)\d+/u, (index) => String(Number(index) - before))
      await cluster.client.apply(deployments, { ...deployment, metadata }, { ...options, force: true })
    }
    const { job } = (complete as TaskSchedule).spec
    if (kind.kind === 'TaskSchedule' && job !== undefined) {
      placeOf = (field) => `spec.job.${field}`
      await cluster.client.create(jobs, buildJob({ id: 'a', namespace, name: 'sample', labels: {}, template: job }), options)
    }
    return { verdict: warnings.length === 0 ? 'admitted' : 'warned', fields: [], message: warnings.join('\n') }
  } catch (error) {
    if (!(error instanceof TaskmillError)) throw error
    const fields = causesOf(error).flatMap(({ field }) => (field === undefined ? [] : [placeOf(asWritten(field))]))
    return { verdict: 'refused', fields, message: error.message }
  }
}

/** How many variables the operator puts before those of the template. */
function addedVariables(pool: WorkerPool, { spec }: ReturnType<typeof deploymentOf>): number {
  const countIn = (template: unknown): number => {
    const env: unknown = (template as WorkerPool['spec']['template'])?.spec.containers[0]?.['env']
    return Array.isArray(env) ? env.length : 0
  }
  return countIn(spec.template) - countIn(pool.spec.template)
}

function deploymentOf(pool: WorkerPool) {
  const spec = { standalone: { address: 'redis:6379' }, keyPrefix: 'bull', credentialsSecretRef: { name: 'redis' } }
  const broker = { spec } as unknown as TaskBroker
  const deployment = deploymentFor(pool, broker)
  if (deployment === undefined) throw new Error('a sample of a pool without a template')
  return deployment
}

/** In dots, as lint writes names of resources; and with what the API server leaves out of three of its own paths. */
function asWritten(field: string): string {
  return field
    .replaceAll(/\[(\D[^\]]*)\]/gu, '.$1')
    .replace('volumeMounts.subPath', 'volumeMounts[0].subPath')
    .replace('ownerReferences.', 'ownerReferences[0].')
    .replace('template.labels', 'template.metadata.labels')
}

function isSameOrIn(field: string, other: string): boolean {
  return field === other || (field.startsWith(other) && /^[.[]/u.test(field.slice(other.length)))
}
