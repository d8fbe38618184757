// The package finds its worklet, engine and weights beside itself, so the development server must leave it in its place.
export default { optimizeDeps: { exclude: ["percepnet"] } };
