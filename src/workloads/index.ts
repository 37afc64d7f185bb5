/**
 * What workloads of Kubernetes say about themselves, in words: pods in trouble.
 *
 * Pure rules over objects as the API server returns them; who asks for them, and how often, is somebody else's.
 */
export { troubleOf, type PodAdvice, type PodTrouble } from './pod-trouble.ts'
