import type { KubeObject, Resource } from '../object.ts'

/** A Secret. It is only ever read by its name; what is in it goes to a broker and nowhere else. */
export type Secret = KubeObject & {
  readonly type?: string
  /** Values in base64. */
  readonly data?: { readonly [key: string]: string }
}

export const secrets: Resource<Secret> = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true }
