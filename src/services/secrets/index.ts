/**
 * Reads the Secrets that objects name, by their names only. Guarantees: each Secret is read at most once a minute unless a caller forces it,
 * however many objects name it; a value stays known while the API server is away. Does not: interpret the values.
 */
export { createSecretCache, type SecretCache, type SecretCacheDeps, type SecretReading, type SecretValues } from './secret-cache.ts'
