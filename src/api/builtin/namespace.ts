import type { KubeObject, Resource } from '../object.ts'

export type Namespace = KubeObject

export const namespaces: Resource<Namespace> = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false }
