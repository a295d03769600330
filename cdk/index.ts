/**
 * `errand/cdk`: the AWS stack of an app, from its config.
 * @module
 */
export {}
