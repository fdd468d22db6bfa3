//! Voxel-grid down-sampling of a point cloud: space is cut into cubes, and the
//! points of a cube become their centroid. Points are x, y, z as little-endian
//! f32, 12 bytes each, in and out; points that are not finite are left out. Cubes
//! come out in the order in which their first points came in.
//!
//! Arguments: the cube's edge, in the cloud's unit, and the fidelity: `full`
//! (default), `medium` or `low`, whose cubes are 2 and 4 times as wide. A host
//! under pressure lowers the fidelity rather than the rate.
#![cfg_attr(target_arch = "wasm32", no_std)]

mod grid;

use grid::Grid;
use inos_sdk::{capsule, Failure, Job, Outcome};

/// Bytes of a point.
const POINT: usize = 12;
/// Points between two safe points: a millisecond or less.
const BATCH: usize = 8192;

fn downsample(job: &mut Job) -> Outcome {
    let edge = edge(job)?;
    let input = job.input();
    if input.len() % POINT != 0 {
        return Err(Failure::bad_input("the input is not a whole number of points"));
    }
    let total = (input.len() / POINT) as u64;
    let mut grid = Grid::new(edge);
    for (i, batch) in input.chunks(BATCH * POINT).enumerate() {
        job.checkpoint()?;
        // Room for the worst: every point in a cube of its own.
        grid.make_room(job, batch.len() / POINT)?;
        for point in batch.chunks_exact(POINT) {
            let at = |i: usize| f32::from_le_bytes([point[i], point[i + 1], point[i + 2], point[i + 3]]);
            grid.add([at(0), at(4), at(8)]).map_err(Failure::bad_input)?;
        }
        if i % 16 == 15 {
            job.progress((i * BATCH + batch.len() / POINT) as u64, total);
        }
    }
    job.make_room(grid.cubes() * POINT)?;
    job.reserve(grid.cubes() * POINT)?;
    for centroid in grid.centroids() {
        for x in centroid {
            job.write(&x.to_le_bytes());
        }
    }
    Ok(())
}

/// The cube's edge that the arguments ask for.
fn edge(job: &Job) -> Result<f64, Failure> {
    let edge = job.arg(0).and_then(|a| a.parse::<f64>().ok()).filter(|e| e.is_finite() && *e > 0.0);
    let edge = edge.ok_or_else(|| Failure::bad_input("the first argument is the cube's edge, above 0"))?;
    match job.arg(1).unwrap_or("full") {
        "full" => Ok(edge),
        "medium" => Ok(edge * 2.0),
        "low" => Ok(edge * 4.0),
        _ => Err(Failure::bad_input("the fidelity is full, medium or low")),
    }
}

capsule! { methods: { "downsample" => downsample } }

#[cfg(test)]
mod tests {
    use super::CAPSULE;
    use inos_sdk::testing::call;
    use inos_sdk::RunCode;

    fn bytes(points: &[[f32; 3]]) -> Vec<u8> {
        points.iter().flatten().flat_map(|x| x.to_le_bytes()).collect()
    }

    #[test]
    fn a_cube_becomes_its_centroid() {
        let cloud = bytes(&[[0.1, 0.1, 0.1], [-0.1, 0.1, 0.1], [0.3, 0.5, 0.7], [f32::NAN, 0.0, 0.0]]);
        let want = bytes(&[[0.2, 0.3, 0.4], [-0.1, 0.1, 0.1]]);
        let got = call(&CAPSULE, "", &["1"], &cloud).unwrap();
        for (g, w) in got.chunks(4).zip(want.chunks(4)) {
            let f = |b: &[u8]| f32::from_le_bytes(b.try_into().unwrap());
            assert!((f(g) - f(w)).abs() < 1e-6);
        }
        assert_eq!(got.len(), want.len());
    }

    #[test]
    fn less_fidelity_fewer_points() {
        let cloud: Vec<[f32; 3]> = (0..100_000u32)
            .map(|i| [(i % 100) as f32 * 0.1, (i / 100 % 100) as f32 * 0.1, (i / 10_000) as f32 * 0.1])
            .collect();
        let count = |fidelity| call(&CAPSULE, "", &["0.25", fidelity], &bytes(&cloud)).unwrap().len() / 12;
        assert_eq!((count("full"), count("medium"), count("low")), (40 * 40 * 4, 20 * 20 * 2, 10 * 10));
    }

    #[test]
    fn refuses_what_it_cannot_use() {
        let refused = |args: &[&str], input: &[u8]| {
            assert_eq!(call(&CAPSULE, "", args, input).unwrap_err().code, RunCode::BadInput, "{args:?}")
        };
        refused(&["1"], &[0; 13]);
        refused(&[], &[]);
        refused(&["0"], &[]);
        refused(&["nan"], &[]);
        refused(&["1", "best"], &[]);
        refused(&["1e-30"], &bytes(&[[1.0, 1.0, 1.0]]));
        assert_eq!(call(&CAPSULE, "", &["1"], b"").unwrap(), b"");
    }
}
