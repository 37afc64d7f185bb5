/**
 * Follows the ConfigMaps that objects name, each by its name only. Guarantees: a ConfigMap is watched once, however many objects name it, and only
 * as long as one does; an object is announced when one of its ConfigMaps has been read, has changed or is gone; what was read stays known while
 * the API server is away; of a ConfigMap only the calendars that objects name are kept, without their text. Does not: interpret the values.
 */
export { type ConfigMaps, type ConfigMapsDeps, createConfigMaps } from './config-maps.ts'
