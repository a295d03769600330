/**
 * errand's own version. A bundle holds no package.json, so it stands here too; a test keeps the two the same.
 * @module
 */

/** The version of this copy of errand. */
export const PACKAGE_VERSION = '0.1.0'
