import type { Kind } from '../../../src/api/index.ts'

export type Good = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: object
  readonly status?: object
}

/** A manifest that a user might write, and the answer of the API server. One named `full` changes the object of that name. */
export type BadManifest = { readonly title: string; readonly manifest: string; readonly answer: string }

/** Everything that the tests of the API want to know about a kind: a new kind adds its file here, and a line in `index.ts`. */
export type KindCase = {
  readonly kind: Kind
  /** Named `full`: uses every declared field but those of `alternatives`. */
  readonly full: Good & { readonly status: object }
  /** Fields that cannot be in one object with the rest of `full`, and a good object that shows each. */
  readonly alternatives?: readonly { readonly path: readonly (string | number)[]; readonly object: Good }[]
  /** What bad manifests change, besides `full`. */
  readonly besides?: readonly Good[]
  /** The least that is good, and how it reads with its defaults. */
  readonly least: { readonly object: Good; readonly spec: object }
  /** Each pattern and each rule, with words that it refuses. */
  readonly words: readonly Words[]
  /** The columns of `kubectl get`, and what they say of `full`. */
  readonly columns: { readonly heading: readonly string[]; readonly row?: RegExp }
  /** One for every rule, every enum and everything that cannot be changed. */
  readonly badManifests: readonly BadManifest[]
}

export type Words = {
  /** What has the pattern or the rule. */
  readonly field: string
  /** What is set to each of the values; `field` itself by default. */
  readonly at?: string
  readonly values: readonly unknown[]
  /** What the answer names; `field` by default. */
  readonly named?: string
}

export const apiVersion = 'taskmill.dev/v1alpha1'

export const conditions = [
  {
    type: 'Ready',
    status: 'True',
    observedGeneration: 1,
    lastTransitionTime: '2026-11-23T08:00:00Z',
    reason: 'Connected',
    message: 'the broker answers',
  },
]
