/** The parts of Taskmill's objects that are Kubernetes' own: metadata, the pods of a pool, and Jobs. */
import { isObject } from '../documents.ts'
import { type Complaint, objectsAt, partOf } from './complaint.ts'
import { judge } from './judge.ts'

type Json = Readonly<Record<string, unknown>>

/** Returns what the API server refuses, or warns about, in the parts of an object that only Kubernetes defines. */
export function judgeKubernetesParts(object: Json): readonly Complaint[] {
  const spec = partOf(object, 'spec')
  return [
    ...(isObject(object['metadata']) ? judge('ObjectMeta', object['metadata'], 'metadata', 'create') : []),
    ...(object['kind'] === 'WorkerPool' && isObject(spec['template'])
      ? judge('PodTemplateSpec', spec['template'], 'spec.template', 'apply')
      : []),
    ...jobsIn(spec).flatMap(({ value, path }) => judgeJob(value, path)),
  ]
}

/** The Job templates of an object: its own, or those of its nodes. */
function jobsIn(spec: Json): readonly { readonly value: Json; readonly path: string }[] {
  const places = [{ value: spec, path: 'spec' }, ...objectsAt(spec['nodes'], 'spec.nodes'), ...objectsAt(spec['finally'], 'spec.finally')]
  return places.flatMap(({ value, path }) => (isObject(value['job']) ? [{ value: value['job'], path: `${path}.job` }] : []))
}

function judgeJob(job: Json, path: string): readonly Complaint[] {
  const unknown = Object.keys(job).filter((field) => field !== 'metadata' && field !== 'spec')
  return [
    ...unknown.map((field): Complaint => ({
      path: `${path}.${field}`,
      message: 'is not a known field of a Job template; known: metadata, spec',
      severity: 'error',
    })),
    ...judge('ObjectMeta', job['metadata'], `${path}.metadata`, 'create'),
    ...judge('JobSpec', job['spec'], `${path}.spec`, 'create'),
  ]
}
