import type { KubeObject, Resource } from '../object.ts'

/** What Taskmill reads of a Pod. */
export type Pod = KubeObject & {
  readonly spec: { readonly nodeName?: string; readonly [field: string]: unknown }
  readonly status?: {
    readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly reason?: string
      readonly message?: string
    }[]
  }
}

export const pods: Resource<Pod> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }
