/**
 * Whether the caches show what this process wrote itself: Kubernetes' ConsistencyStore (KEP-5647). Resource versions are compared as
 * numbers, as Kubernetes promises from 1.35 on and always did; one that is not a number counts as seen.
 */
export type Consistency = {
  /** Remembers the version that a write answered with; of two writes to the same resource the newer holds. */
  wroteAt(key: string, resource: string, resourceVersion: string | undefined): void
  /** Whether the caches are as new as everything that was written for the key. An object that is missing in its cache is not. */
  ready(key: string): boolean
  /** Forgets what was written for the key: its object is gone. */
  clear(key: string): void
}

/** `seen`: by resource, the version of the key's object as the cache shows it. */
export function createConsistency(seen: Readonly<Record<string, (key: string) => string | undefined>>): Consistency {
  const written = new Map<string, Map<string, bigint>>()
  return {
    wroteAt(key, resource, resourceVersion) {
      const version = versionOf(resourceVersion)
      if (version === undefined) return
      const ofKey = written.get(key) ?? new Map<string, bigint>()
      written.set(key, ofKey)
      if (version > (ofKey.get(resource) ?? -1n)) ofKey.set(resource, version)
    },
    ready(key) {
      const ofKey = written.get(key)
      if (ofKey === undefined) return true
      for (const [resource, version] of ofKey) {
        const shown = seen[resource]?.(key)
        if (shown === undefined || (versionOf(shown) ?? version) < version) return false
        ofKey.delete(resource)
      }
      written.delete(key)
      return true
    },
    clear: (key) => void written.delete(key),
  }
}

function versionOf(resourceVersion: string | undefined): bigint | undefined {
  return resourceVersion !== undefined && /^\d{1,40}$/u.test(resourceVersion) ? BigInt(resourceVersion) : undefined
}
